"""The Prometheus rules: checked and tested with promtool, and delivered to a webhook through Alertmanager."""

import asyncio
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.config.config import Config, validate
from monitor.service import wiring
from monitor.service.api.server import listen, running
from monitor.service.daemon import Daemon, serving
from tests.conftest import started
from tests.house.documents import ROOT, metrics
from tests.system.watching import Prometheus, alertmanager, prometheus, promote_first_runs
from tests.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
FOLDER = ROOT / "dashboards"
RULES = FOLDER / "prometheus-rules.yaml"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
WITH_THE_SEVERITY_OF_THEIR_METRIC = {"RecallwatchRegression"}
"""That of the incident; the cases of `promtool test rules` check it."""
TESTS = yaml.safe_load((FOLDER / "prometheus-rules-test.yaml").read_text())["tests"]


@pytest.mark.parametrize(
    "command",
    [
        "promtool check rules prometheus-rules.yaml",
        "promtool test rules prometheus-rules-test.yaml",
        "promtool check config prometheus.yaml",
        "amtool check-config alertmanager.yaml",
    ],
)
def test_promtool_and_amtool_accept_the_files(command: str) -> None:
    """The tools report no error, and every alert passes its rule tests."""
    result = subprocess.run(command.split(), cwd=FOLDER, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "FAILED" not in result.stdout + result.stderr


def test_every_metric_in_the_rules_exists() -> None:
    """The rules use only metrics that the daemon exports."""
    # Recorded series have a colon and are the rules' own.
    names = set(re.findall(r"(?<![\w:])recallwatch_[a-z_]+(?!:)", RULES.read_text()))
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}
    assert families
    assert {name for name in families if f"`{name}`" not in metrics()} == set()


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert: str) -> None:
    """Every alert has a firing and a silent case in `promtool test rules`."""
    tests = [test for test in TESTS if test["alert_rule_test"][0]["alertname"] == alert]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    beside = any("fine" in each["series"] for test in tests for each in test["input_series"])
    assert any(case["exp_alerts"] for case in cases)
    assert beside or any(not case["exp_alerts"] for case in cases)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_severity_a_text_and_a_runbook(alert: str) -> None:
    """Every alert has a severity, a summary, a description, and a section in the runbooks."""
    rule = ALERTS[alert]
    is_labelled = rule.get("labels", {}).get("severity") in ("critical", "warning", "info", "none")
    assert is_labelled or alert in WITH_THE_SEVERITY_OF_THEIR_METRIC
    assert {"summary", "description", "runbook_url"} <= rule["annotations"].keys()
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=RecallwatchRegression severity=critical", "on-call"),
        ("alertname=RecallwatchLowCoverage severity=warning", "team"),
        ("alertname=RecallwatchSwapDetected severity=info", "timeline"),
        ("alertname=RecallwatchIncidentEnded severity=none", "none"),
        ("alertname=RecallwatchWatchdog severity=none", "dead-mans-switch"),
    ],
)
def test_the_example_of_alertmanager_routes_by_severity(labels: str, receiver: str) -> None:
    """A critical alert reaches on-call, and the heartbeat reaches the external service."""
    result = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={FOLDER / 'alertmanager.yaml'}", *labels.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout.strip()) == (0, receiver), result.stderr


def test_inhibition_rules_and_routes_use_existing_alerts() -> None:
    """The inhibition rules and routes of the example use only alerts of the rules."""
    names = set(re.findall(r"Recallwatch\w+", (FOLDER / "alertmanager.yaml").read_text()))
    assert (
        names - {"RecallwatchIncident", "RecallwatchIncidentEnded"} <= ALERTS.keys()
    )  # those come from the daemon's notifier


class Hook:
    """A webhook that records the alerts of Alertmanager."""

    def __init__(self) -> None:
        self.alerts: dict[tuple[str, str], dict[str, Any]] = {}
        self.notifications: Counter[tuple[str, str]] = Counter()
        self.news = asyncio.Event()

    def create_app(self) -> Starlette:
        """An endpoint that accepts every request."""
        return Starlette(routes=[Route("/", self._receive, methods=["POST"])])

    async def _receive(self, request: Request) -> Response:
        for alert in (await request.json())["alerts"]:
            self.alerts[alert["labels"]["alertname"], alert["status"]] = alert
            self.notifications[alert["labels"]["alertname"], alert["status"]] += 1
        self.news.set()
        return Response(status_code=200)

    async def wait_for(self, name: str, status: str, *, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The first alert of this name in this status."""
        async with asyncio.timeout(timeout_s):
            while (name, status) not in self.alerts:
                self.news.clear()
                await self.news.wait()
        return self.alerts[name, status]


@pytest.fixture
def retriever(numbered: Path) -> Iterator[str]:
    """A live retriever over the documents of a small suite."""
    with started("tests/word_retriever.py", str(numbered)) as service:
        yield service["url"]


def test_alerts_about_a_regression_and_a_dead_daemon_reach_a_webhook(
    numbered: Path, retriever: str, postgres_url: str, tmp_path: Path
) -> None:
    """Alerts pass from the daemon through Prometheus and Alertmanager to a webhook, also when the daemon is dead."""

    async def story() -> None:
        hook = Hook()
        config = {
            "storage": {"url": postgres_url},
            "targets": {"docs": {"retriever": {"kind": "http", "url": f"{retriever}/search"}}},
            "suites": {"numbered": {"path": str(numbered)}},
            "schedules": {"often": {"target": "docs", "suites": ["numbered"], "every": "500ms"}},
            "server": {"port": 0},
        }
        parts = wiring.assemble(validate(Config, config, where=""))
        async with AsyncExitStack() as outside, AsyncExitStack() as life:
            listener = outside.enter_context(listen("127.0.0.1", 0))
            hook_url = await outside.enter_async_context(running(hook.create_app(), listener))
            alertmanager_url = await outside.enter_async_context(alertmanager(tmp_path / "alertmanager", hook_url))
            daemon = await life.enter_async_context(serving(parts))
            watcher = await outside.enter_async_context(
                prometheus(tmp_path / "prometheus", daemon.url, alertmanager_url)
            )
            await _break_and_restore(daemon, retriever, hook, watcher)
            await life.aclose()
            await hook.wait_for("RecallwatchDown", "firing")
            await hook.wait_for("RecallwatchAbsent", "firing")

    asyncio.run(story())


async def _break_and_restore(daemon: Daemon, retriever: str, hook: Hook, watcher: Prometheus) -> None:
    await promote_first_runs(daemon)
    await hook.wait_for("RecallwatchWatchdog", "firing")
    assert ("RecallwatchRegression", "firing") not in hook.alerts
    await watcher.client.post(f"{retriever}/break", json={"share": 0.5})
    fired = await hook.wait_for("RecallwatchRegression", "firing")
    assert fired["labels"] | {"target": "docs", "severity": "critical"} == fired["labels"]
    assert fired["annotations"]["summary"] == "Retrieval quality of docs has regressed"
    await watcher.client.post(f"{retriever}/break", json={"share": 0.0})
    await hook.wait_for("RecallwatchRegression", "resolved")


async def alert_of(url: str, client: httpx.AsyncClient, name: str) -> dict[str, Any] | None:
    """The active alert of this name in Alertmanager, as its API shows it."""
    answer = await client.get(f"{url}/api/v2/alerts", params={"filter": f"alertname={name}"})
    return next(iter(answer.json()), None)


async def has_ended(url: str, client: httpx.AsyncClient, name: str) -> bool:
    """Whether no alert of this name is active."""
    return await alert_of(url, client, name) is None


def test_one_regression_is_one_notification_where_notifier_and_rules_meet(
    numbered: Path, retriever: str, postgres_url: str, tmp_path: Path
) -> None:
    """In one Alertmanager the daemon's alert silences the rule's, from the first message until both have ended."""

    async def story() -> None:
        hook = Hook()
        async with AsyncExitStack() as life:
            listener = life.enter_context(listen("127.0.0.1", 0))
            hook_url = await life.enter_async_context(running(hook.create_app(), listener))
            url = await life.enter_async_context(alertmanager(tmp_path / "alertmanager", hook_url))
            config = {
                "storage": {"url": postgres_url},
                "targets": {"docs": {"retriever": {"kind": "http", "url": f"{retriever}/search"}}},
                "suites": {"numbered": {"path": str(numbered)}},
                "schedules": {"often": {"target": "docs", "suites": ["numbered"], "every": "500ms"}},
                "notifiers": {"alerts": {"kind": "alertmanager", "url": url, "ended_for": "30s"}},
                "server": {"port": 0},
            }
            daemon = await life.enter_async_context(serving(wiring.assemble(validate(Config, config, where=""))))
            watcher = await life.enter_async_context(prometheus(tmp_path / "prometheus", daemon.url, url))
            await promote_first_runs(daemon)
            await hook.wait_for("RecallwatchWatchdog", "firing")
            await watcher.client.post(f"{retriever}/break", json={"share": 0.5})
            await hook.wait_for("RecallwatchIncident", "firing")
            rule = await until(lambda: alert_of(url, watcher.client, "RecallwatchRegression"))
            incident = await alert_of(url, watcher.client, "RecallwatchIncident")
            assert incident is not None
            assert rule["status"]["inhibitedBy"] == [incident["fingerprint"]]
            await watcher.client.post(f"{retriever}/break", json={"share": 0.0})
            await hook.wait_for("RecallwatchIncident", "resolved")
            await until(lambda: has_ended(url, watcher.client, "RecallwatchRegression"))
            await until(lambda: has_ended(url, watcher.client, "RecallwatchIncidentEnded"))
        assert hook.notifications["RecallwatchIncident", "firing"] == 1
        assert hook.notifications["RecallwatchIncident", "resolved"] == 1
        silent = {"RecallwatchRegression", "RecallwatchNoData", "RecallwatchIncidentEnded"}
        assert {name for name, _ in hook.alerts} & silent == set()

    asyncio.run(story())

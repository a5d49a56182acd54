"""On-call stories with the daemon, PostgreSQL, a signed webhook and the command line."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor.cycle import Report
from monitor.demo.receiver import Receiver
from monitor.model.deployments import Baseline
from monitor.service import wiring
from monitor.service.api.server import listen, running
from monitor.service.daemon import Daemon, serving
from tests.conftest import command
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

N_QUERIES = 40


@dataclass
class Live:
    """A retriever that can be degraded or unavailable."""

    is_worse: bool = False
    is_away: bool = False

    def create_app(self) -> Starlette:
        """Its HTTP application."""
        return Starlette(routes=[Route("/", self._search, methods=["POST"])])

    async def _search(self, request: Request) -> JSONResponse:
        body = await request.json()
        if self.is_away:
            return JSONResponse({}, status_code=403)
        number = re.sub(r"\D", "", body["query"])
        best = [] if self.is_worse else [{"id": f"d{number}"}]
        others = ({"id": f"other-{rank}"} for rank in range(body["k"] - len(best)))
        return JSONResponse({"hits": [*best, *others]})


@dataclass
class Scene:
    """Everything that is running."""

    live: Live
    receiver: Receiver
    folder: Path
    daemon: Daemon
    client: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)

    async def message(self, kind: str, state: str) -> dict[str, Any]:
        """The data of the first message of this kind in this state."""
        message: dict[str, Any] = await until(lambda: self._first(kind, state))
        return message

    def _first(self, kind: str, state: str) -> dict[str, Any] | None:
        messages = (each for each in self.receiver.messages if each["data"]["kind"] == kind)
        return next((each for each in messages if each["data"]["state"] == state), None)

    def regressions(self) -> list[dict[str, Any]]:
        """The data of all messages on quality."""
        return [each["data"] for each in self.receiver.messages if each["data"]["kind"] == "regression"]

    async def promote(self) -> None:
        """Promote the current run."""
        await until(lambda: "often" in self.daemon.scheduler.reports)
        run = self.daemon.scheduler.reports["often"].measured[0].run
        await self.daemon.store.promote(
            Baseline(
                target="docs",
                suite_name="small",
                run_id=run.run_id,
                promoted_by="ada",
                reason="good",
                promoted_at=wiring.utc_now(),
            )
        )

    async def type(self, *arguments: str) -> Any:
        """The JSON output of a command."""
        done = await asyncio.to_thread(command, *arguments, "--json", cwd=self.folder)
        return json.loads(done.stdout)

    async def metric(self, line: str) -> None:
        """Wait until the daemon exports this line."""
        await until(lambda: self._shows(line))

    async def _shows(self, line: str) -> bool:
        return line in (await self.client.get(f"{self.daemon.url}/metrics", timeout=60)).text

    def wake_outbox(self) -> None:
        """Poll the outbox now, and at its usual interval from then on."""
        _, _, world = self.daemon.scheduler.plans["often"]
        world.wake()

    async def without_data(self, reason: str) -> None:
        """Wait for a cycle whose probes all failed for this reason; missing data is then an alarm at once."""
        reports = self.daemon.scheduler.reports
        await until(lambda: f"{N_QUERIES} {reason}" in reports["often"].verdict.summary)
        self.allow_no_data_for(0.0)

    def allow_no_data_for(self, limit_s: float) -> None:
        """Change the time after which missing data is an alarm."""
        watchdog = self.daemon.scheduler.watchdog
        assert watchdog is not None
        watchdog.schedules = {name: replace(each, limit_s=limit_s) for name, each in watchdog.schedules.items()}

    async def more_cycles(self, count: int) -> None:
        """Wait until so many more cycles have ended."""
        for _ in range(count):
            await self._another_report(self.daemon.scheduler.reports["often"])

    async def _another_report(self, last: Report) -> None:
        await until(lambda: self.daemon.scheduler.reports["often"] is not last)


Story = Callable[[Scene], Awaitable[None]]


def a_suite(folder: Path) -> Path:
    """Questions with one relevant document each."""
    (folder / "qrels").mkdir(parents=True)
    (folder / "suite.yaml").write_text("name: small\nversion: 1\naxis: broad\n")
    lines = [json.dumps({"_id": f"q{n}", "text": f"question {n}"}) for n in range(N_QUERIES)]
    (folder / "queries.jsonl").write_text("\n".join(lines) + "\n")
    rows = ["query-id\tcorpus-id\tscore", *(f"q{n}\td{n}\t1" for n in range(N_QUERIES))]
    (folder / "qrels" / "test.tsv").write_text("\n".join(rows) + "\n")
    return folder


@asynccontextmanager
async def scene(live: Live, folder: Path, postgres_url: str) -> AsyncIterator[Scene]:
    """A daemon that probes twice a second and pages a verifying receiver."""
    receiver = Receiver()
    suite = a_suite(folder / "small")
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as two:
        async with running(live.create_app(), one) as url, running(receiver.create_app(), two) as hook:
            config = {
                "storage": {"url": postgres_url},
                "targets": {"docs": {"owner": "search", "retriever": {"kind": "http", "url": url}}},
                "suites": {"small": {"path": str(suite)}},
                "schedules": {
                    "often": {"target": "docs", "suites": ["small"], "every": "500ms", "no_data_after": "1h"}
                },
                "notifiers": {"on-call": {"kind": "webhook", "url": hook, "secret": receiver.secret}},
                "server": {"port": 0, "public_url": "https://recallwatch.internal"},
            }
            path = folder / "recallwatch.yaml"
            path.write_text(json.dumps(config))  # which is YAML as well
            async with serving(wiring.load(path)) as daemon:
                on = Scene(live, receiver, folder, daemon)
                try:
                    yield on
                finally:
                    await on.client.aclose()


@pytest.fixture
def tell(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    """Run a story."""
    monkeypatch.setattr("monitor.service.upkeep.PULSE_S", 0.1)

    async def play(story: Story) -> None:
        async with scene(Live(), tmp_path, postgres_url) as running_scene:
            await story(running_scene)

    return lambda story: asyncio.run(play(story))


def test_an_incident_pages_at_once_is_acknowledged_and_rolled_back(
    tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alert is sent with the verdict; acknowledgement and rollback use the same key and are counted."""
    monkeypatch.setattr("monitor.alerting.outbox.IDLE_S", 3_600.0)  # the verdict wakes the worker, no poll does

    async def story(on: Scene) -> None:
        await on.promote()
        on.live.is_worse = True
        firing = await on.message("regression", "firing")
        monkeypatch.setattr("monitor.alerting.outbox.IDLE_S", 0.5)
        on.wake_outbox()
        data = firing["data"]
        assert (data["severity"], data["owner"], data["suites"]) == ("critical", "search", ["small"])
        assert data["deployment"]["since"] is not None
        compared = await asyncio.to_thread(command, *data["next_command"].split()[1:], "--json", cwd=on.folder, check=1)
        assert json.loads(compared.stdout)["verdict"] == "regressed"

        incident = await on.type("incident", "ack", data["incident_id"], "--by", "ada")
        assert incident["status"] == "acknowledged"
        acknowledged = await on.message("regression", "acknowledged")
        assert acknowledged["data"]["acknowledged_by"] == "ada"

        on.live.is_worse = False
        resolved = await on.message("regression", "resolved")
        assert resolved["data"]["resolution"] == "rolled_back"
        assert resolved["data"]["duration_s"] > 0
        assert len({data["dedup_key"] for data in on.regressions()}) == 1
        listed = await on.type("incident", "list")
        assert [each["status"] for each in listed["incidents"] if each["kind"] == "regression"] == ["resolved"]
        assert listed["ledger"] == [{"target": "docs", "policy": "default", "fired": 1, "confirmed": 1, "dismissed": 0}]
        await on.metric('recallwatch_incidents_total{outcome="confirmed",policy="default",target="docs"} 1.0')

    tell(story)


def test_a_false_alarm_is_dismissed_and_stays_quiet(tell: Callable[[Story], None]) -> None:
    """A dismissal closes the incident, is counted in the ledger, and the same drop does not page again."""

    async def story(on: Scene) -> None:
        await on.promote()
        on.live.is_worse = True
        firing = await on.message("regression", "firing")
        incident_id = firing["data"]["incident_id"]
        await on.type("incident", "dismiss", incident_id, "--reason", "the suite is wrong", "--by", "ada")
        resolved = await on.message("regression", "resolved")
        assert resolved["data"]["resolution"] == "dismissed"
        incident = await on.type("incident", "show", incident_id)
        assert incident["reason"] == "the suite is wrong (ada)"
        await on.metric('recallwatch_incidents_total{outcome="dismissed",policy="default",target="docs"} 1.0')
        await on.more_cycles(3)  # which see the same drop
        assert len(on.regressions()) == 2
        refused = await asyncio.to_thread(command, "incident", "ack", incident_id, "--by", "x", cwd=on.folder, check=3)
        assert refused.stderr == f"recallwatch: incident {incident_id} is dismissed: it cannot be acknowledged\n"

    tell(story)


def test_a_target_that_is_away_is_no_data_and_never_a_regression(tell: Callable[[Story], None]) -> None:
    """Missing data opens and closes its own incident, and never one about quality."""

    async def story(on: Scene) -> None:
        await on.promote()
        on.live.is_away = True
        await on.without_data("unauthorised")
        firing = await on.message("no_data", "firing")
        assert "docs has not been judged" in firing["data"]["summary"]
        assert "40 unauthorised" in firing["data"]["summary"]
        await on.metric('recallwatch_no_data{schedule="often",target="docs"} 1.0')
        on.allow_no_data_for(3_600.0)
        on.live.is_away = False
        resolved = await on.message("no_data", "resolved")
        assert resolved["data"]["dedup_key"] == firing["data"]["dedup_key"]
        await on.metric('recallwatch_no_data{schedule="often",target="docs"} 0.0')
        assert {message["data"]["kind"] for message in on.receiver.messages} == {"no_data"}

    tell(story)

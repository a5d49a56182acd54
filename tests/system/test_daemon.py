"""The daemon from schedule to page: a live retriever, PostgreSQL, a signed webhook, Prometheus' own tools."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from monitor.config.config import Config, validate
from monitor.demo.receiver import Receiver
from monitor.model.deployments import Baseline
from monitor.service import wiring
from monitor.service.api.server import listen, running
from monitor.service.daemon import Daemon, serving
from tests.conftest import started
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def retriever(numbered: Path) -> Iterator[str]:
    """A live retriever over the documents of a small suite."""
    with started("tests/word_retriever.py", str(numbered)) as service:
        yield service["url"]


Story = Callable[[Daemon, Receiver, httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def tell(retriever: str, numbered: Path, postgres_url: str) -> Callable[[Story], None]:
    """Run a story beside a daemon that probes twice a second and pages a verifying receiver."""

    async def with_everything(story: Story) -> None:
        receiver = Receiver()
        with listen("127.0.0.1", 0) as listener:
            async with running(receiver.create_app(), listener) as hook, httpx.AsyncClient() as client:
                config = {
                    "storage": {"url": postgres_url},
                    "targets": {"docs": {"retriever": {"kind": "http", "url": f"{retriever}/search"}}},
                    "suites": {"numbered": {"path": str(numbered)}},
                    "schedules": {"often": {"target": "docs", "suites": ["numbered"], "every": "500ms"}},
                    "notifiers": {"on-call": {"kind": "webhook", "url": hook, "secret": receiver.secret}},
                    "server": {"port": 0},
                }
                parts = wiring.assemble(validate(Config, config, where=""))
                async with serving(parts) as daemon:
                    await story(daemon, receiver, client)

    return lambda story: asyncio.run(with_everything(story))


async def _promote_first_run(daemon: Daemon) -> None:
    await until(lambda: "often" in daemon.scheduler.reports)
    run = daemon.scheduler.reports["often"].measured[0].run
    await daemon.store.promote(
        Baseline(
            target="docs",
            suite_name=run.suite_name,
            run_id=run.run_id,
            promoted_by="ada",
            reason="good",
            promoted_at=wiring.utc_now(),
        )
    )


def test_a_silent_swap_is_paged_once_and_resolved_after_the_rollback(
    tell: Callable[[Story], None], retriever: str
) -> None:
    """One firing and one resolved message arrive, in order, signed, under one dedup key, with the evidence."""

    async def story(daemon: Daemon, receiver: Receiver, client: httpx.AsyncClient) -> None:
        await _promote_first_run(daemon)
        await client.post(f"{retriever}/break", json={"share": 0.3})
        firing = await until(lambda: receiver.find("firing"))
        assert firing is not None
        for _ in range(3):  # more cycles see the same drop
            await _another_report(daemon)
        await client.post(f"{retriever}/break", json={"share": 0.0})
        resolved = await until(lambda: receiver.find("resolved"))
        assert resolved is not None
        assert [message["data"]["state"] for message in receiver.messages] == ["firing", "resolved"]
        assert firing["data"]["dedup_key"] == resolved["data"]["dedup_key"]
        assert firing["data"]["advice"] == "roll back"
        assert {each["measure"] for each in firing["data"]["fallen"]} >= {"recall@10", "ndcg@10"}
        assert 1 <= len(firing["data"]["lost_queries"]) <= 5

    tell(story)


def test_a_declared_deployment_is_probed_at_once_under_its_name(
    retriever: str, numbered: Path, postgres_url: str
) -> None:
    """Between two daily cycles a pipeline says what is served now: it is measured, and the swap is a declared one."""
    config = {
        "storage": {"url": postgres_url},
        "targets": {"docs": {"retriever": {"kind": "http", "url": f"{retriever}/search"}}},
        "suites": {"numbered": {"path": str(numbered)}},
        "schedules": {"daily": {"target": "docs", "suites": ["numbered"], "every": "1d"}},
        "server": {"port": 0, "token": "a-token"},
    }

    async def story() -> None:
        async with (
            serving(wiring.assemble(validate(Config, config, where=""))) as daemon,
            httpx.AsyncClient() as client,
        ):
            await until(lambda: "daily" in daemon.scheduler.reports)
            await client.post(f"{retriever}/break", json={"share": 0.3})
            declared = await client.post(
                f"{daemon.url}/api/v1/deployments",
                json={"target": "docs", "name": "model-2"},
                headers={"authorization": "Bearer a-token"},
            )
            assert declared.status_code == 201
            await until(lambda: daemon.scheduler.reports["daily"].swaps)
            (swap,) = daemon.scheduler.reports["daily"].swaps
            assert swap.declared
            assert daemon.scheduler.reports["daily"].measured[0].run.deployment == "model-2"
            await client.post(f"{retriever}/break", json={"share": 0.0})

    asyncio.run(story())


async def _another_report(daemon: Daemon) -> None:
    last = daemon.scheduler.reports["often"]
    await until(lambda: daemon.scheduler.reports["often"] is not last)


def test_promtool_accepts_the_metrics_of_a_live_daemon(tell: Callable[[Story], None], retriever: str) -> None:
    """After a regression `promtool check metrics` finds nothing wrong with /metrics."""

    async def story(daemon: Daemon, receiver: Receiver, client: httpx.AsyncClient) -> None:
        await _promote_first_run(daemon)
        await client.post(f"{retriever}/break", json={"share": 0.3})
        assert await until(lambda: receiver.find("firing"))
        response = await until(lambda: _metrics_with(client, daemon, _DELIVERED))
        checked = await asyncio.to_thread(_promtool, response.content)
        assert checked.returncode == 0, checked.stderr.decode() + checked.stdout.decode()
        assert checked.stderr == b""
        text = response.text
        assert 'recallwatch_verdict{target="docs",verdict="regressed"} 1.0' in text
        assert 'recallwatch_incident_open{target="docs"} 1.0' in text
        assert _DELIVERED in text
        assert 'recallwatch_recall_ratio{axis="broad",k="10",role="candidate",stratum="overall"' in text
        assert "recallwatch_probe_duration_seconds_bucket" in text

    tell(story)


_DELIVERED = 'recallwatch_alerts_total{notifier="on-call",state="firing"} 1.0'


async def _metrics_with(client: httpx.AsyncClient, daemon: Daemon, line: str) -> httpx.Response | None:
    """The metrics once this line is in them; the delivery is counted after the message arrives."""
    response = await client.get(f"{daemon.url}/metrics", timeout=60)
    return response if line in response.text else None


def _promtool(exposition: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["promtool", "check", "metrics"], input=exposition, capture_output=True, check=False)


def test_health_readiness_and_the_page_answer(tell: Callable[[Story], None], retriever: str) -> None:
    """The daemon answers orchestrators and people."""

    async def story(daemon: Daemon, receiver: Receiver, client: httpx.AsyncClient) -> None:
        await _promote_first_run(daemon)
        assert (await client.get(f"{daemon.url}/healthz")).status_code == 200
        assert (await client.get(f"{daemon.url}/readyz")).json() == {"status": "ready"}
        page = await client.get(f"{daemon.url}/")
        assert "docs" in page.text
        assert page.headers["content-type"].startswith("text/html")

    tell(story)

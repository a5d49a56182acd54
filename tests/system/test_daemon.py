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

pytestmark = pytest.mark.slow


@pytest.fixture
def retriever(xquad: Path) -> Iterator[str]:
    """A live retriever over the documents of xquad-en."""
    with started("tests/word_retriever.py", str(xquad)) as said:
        yield said["url"]


Story = Callable[[Daemon, Receiver, httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def tell(retriever: str, xquad: Path, postgres_url: str) -> Callable[[Story], None]:
    """Run a story beside a daemon that probes twice a second and pages a verifying receiver."""

    async def with_everything(story: Story) -> None:
        receiver = Receiver()
        with listen("127.0.0.1", 0) as listener:
            async with running(receiver.create_app(), listener) as hook, httpx.AsyncClient() as client:
                config = {
                    "storage": {"url": postgres_url},
                    "targets": {"docs": {"retriever": {"kind": "http", "url": f"{retriever}/search"}}},
                    "suites": {"xquad": {"path": str(xquad)}},
                    "schedules": {"often": {"target": "docs", "suites": ["xquad"], "every": "500ms"}},
                    "notifiers": {"on-call": {"kind": "webhook", "url": hook, "secret": receiver.secret}},
                    "server": {"port": 0},
                }
                parts = wiring.assemble(validate(Config, config, where=""))
                async with serving(parts) as daemon:
                    await story(daemon, receiver, client)

    return lambda story: asyncio.run(with_everything(story))


async def _promote_first_run(daemon: Daemon) -> None:
    async with asyncio.timeout(60):
        while "often" not in daemon.scheduler.reports:  # noqa: ASYNC110 - there is no event for a first report
            await asyncio.sleep(0.05)
    run = daemon.scheduler.reports["often"].measured[0].run
    await daemon.store.promote(Baseline("docs", run.suite_name, run.run_id, "ada", "good", wiring.utc_now()))


def test_a_silent_swap_is_paged_once_and_resolved_after_the_rollback(
    tell: Callable[[Story], None], retriever: str
) -> None:
    """One firing and one resolved message arrive, in order, signed, under one dedup key, with the evidence."""

    async def story(daemon: Daemon, receiver: Receiver, client: httpx.AsyncClient) -> None:
        await _promote_first_run(daemon)
        await client.post(f"{retriever}/break", json={"share": 0.3})
        firing = await receiver.wait_for("firing", timeout_s=60)
        assert firing is not None
        await asyncio.sleep(3)  # several more cycles see the same drop
        await client.post(f"{retriever}/break", json={"share": 0.0})
        resolved = await receiver.wait_for("resolved", timeout_s=60)
        assert resolved is not None
        assert [message["data"]["state"] for message in receiver.messages] == ["firing", "resolved"]
        assert firing["data"]["dedup_key"] == resolved["data"]["dedup_key"]
        assert firing["data"]["advice"] == "roll back"
        assert {each["measure"] for each in firing["data"]["fallen"]} >= {"recall@10", "ndcg@10"}
        assert 1 <= len(firing["data"]["lost_queries"]) <= 5

    tell(story)


def test_a_declared_deployment_is_probed_at_once_under_its_name(retriever: str, xquad: Path, postgres_url: str) -> None:
    """Between two daily cycles a pipeline says what is served now: it is measured, and the swap is a declared one."""
    config = {
        "storage": {"url": postgres_url},
        "targets": {"docs": {"retriever": {"kind": "http", "url": f"{retriever}/search"}}},
        "suites": {"xquad": {"path": str(xquad)}},
        "schedules": {"daily": {"target": "docs", "suites": ["xquad"], "every": "1d"}},
        "server": {"port": 0, "token": "a-token"},
    }

    async def story() -> None:
        async with (
            serving(wiring.assemble(validate(Config, config, where=""))) as daemon,
            httpx.AsyncClient() as client,
        ):
            await _until(lambda: "daily" in daemon.scheduler.reports)
            await client.post(f"{retriever}/break", json={"share": 0.3})
            declared = await client.post(
                f"{daemon.url}/api/v1/deployments",
                json={"target": "docs", "name": "model-2"},
                headers={"authorization": "Bearer a-token"},
            )
            assert declared.status_code == 201
            await _until(lambda: daemon.scheduler.reports["daily"].swaps)
            (swap,) = daemon.scheduler.reports["daily"].swaps
            assert swap.declared
            assert daemon.scheduler.reports["daily"].measured[0].run.deployment == "model-2"
            await client.post(f"{retriever}/break", json={"share": 0.0})

    asyncio.run(story())


async def _until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not done():  # noqa: ASYNC110 - there is no event for a report
            await asyncio.sleep(0.05)


def test_promtool_accepts_the_metrics_of_a_live_daemon(tell: Callable[[Story], None], retriever: str) -> None:
    """After a regression `promtool check metrics` finds nothing wrong with /metrics."""

    async def story(daemon: Daemon, receiver: Receiver, client: httpx.AsyncClient) -> None:
        await _promote_first_run(daemon)
        await client.post(f"{retriever}/break", json={"share": 0.3})
        assert await receiver.wait_for("firing", timeout_s=60)
        await asyncio.sleep(1)  # until the delivery is kept as such, and counted
        response = await client.get(f"{daemon.url}/metrics")
        checked = await asyncio.to_thread(_promtool, response.content)
        assert checked.returncode == 0, checked.stderr.decode() + checked.stdout.decode()
        assert checked.stderr == b""
        text = response.text
        assert 'recallwatch_verdict{target="docs",verdict="regressed"} 1.0' in text
        assert 'recallwatch_incident_open{target="docs"} 1.0' in text
        assert 'recallwatch_alerts_total{notifier="on-call",state="firing"} 1.0' in text
        assert 'recallwatch_recall_ratio{axis="broad",k="10",role="candidate",stratum="overall"' in text
        assert "recallwatch_probe_duration_seconds_bucket" in text

    tell(story)


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

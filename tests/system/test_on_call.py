"""What on-call lives through, with the daemon, PostgreSQL, a signed webhook and the commands they type."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor.demo.receiver import Receiver
from monitor.model.deployments import Baseline
from monitor.service import wiring
from monitor.service.api.server import listen, running
from monitor.service.daemon import Daemon, serving
from tests.conftest import command

pytestmark = pytest.mark.slow

N_QUERIES = 40


@dataclass
class Live:
    """A retriever that can be made worse, or be away."""

    is_worse: bool = False
    is_away: bool = False

    def create_app(self) -> Starlette:
        """Its HTTP face."""
        return Starlette(routes=[Route("/", self._search, methods=["POST"])])

    async def _search(self, request: Request) -> JSONResponse:
        asked = await request.json()
        if self.is_away:
            return JSONResponse({}, status_code=403)
        number = re.sub(r"\D", "", asked["query"])
        best = [] if self.is_worse else [{"id": f"d{number}"}]
        others = ({"id": f"other-{rank}"} for rank in range(asked["k"] - len(best)))
        return JSONResponse({"hits": [*best, *others]})


@dataclass
class Scene:
    """Everything that is running."""

    live: Live
    receiver: Receiver
    folder: Path
    daemon: Daemon
    client: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)

    async def told(self, kind: str, state: str) -> dict[str, Any]:
        """The data of the first message of this kind in this state."""
        async with asyncio.timeout(60):
            while True:
                for message in self.receiver.messages:
                    if (message["data"]["kind"], message["data"]["state"]) == (kind, state):
                        return message
                await asyncio.sleep(0.02)

    async def promote(self) -> None:
        """Trust what is served now."""
        async with asyncio.timeout(60):
            while "often" not in self.daemon.scheduler.reports:  # noqa: ASYNC110 - a first report has no event
                await asyncio.sleep(0.02)
        run = self.daemon.scheduler.reports["often"].measured[0].run
        await self.daemon.store.promote(Baseline("docs", "small", run.run_id, "ada", "good", wiring.utc_now()))

    async def type(self, *arguments: str) -> Any:
        """What a command answers, as JSON."""
        done = await asyncio.to_thread(command, *arguments, "--json", cwd=self.folder)
        return json.loads(done.stdout)

    async def metric(self, line: str) -> None:
        """Wait until the daemon shows this line."""
        async with asyncio.timeout(30):
            while line not in (await self.client.get(f"{self.daemon.url}/metrics")).text:  # noqa: ASYNC110 - a poll
                await asyncio.sleep(0.05)


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
                    "often": {"target": "docs", "suites": ["small"], "every": "500ms", "no_data_after": "3s"}
                },
                "notifiers": {"on-call": {"kind": "webhook", "url": hook, "secret": receiver.secret}},
                "server": {"port": 0, "public_url": "https://recallwatch.internal"},
            }
            path = folder / "recallwatch.yaml"
            path.write_text(json.dumps(config))  # which is YAML as well
            async with serving(wiring.load(path)) as daemon:
                told = Scene(live, receiver, folder, daemon)
                try:
                    yield told
                finally:
                    await told.client.aclose()


@pytest.fixture
def tell(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    """Run a story."""
    monkeypatch.setattr("monitor.service.daemon.PULSE_S", 0.1)

    async def play(story: Story) -> None:
        async with scene(Live(), tmp_path, postgres_url) as running_scene:
            await story(running_scene)

    return lambda story: asyncio.run(play(story))


def test_an_incident_is_told_soon_taken_on_and_rolled_back(tell: Callable[[Story], None]) -> None:
    """The message is there two seconds after the verdict; ack and rollback follow under one key, and are counted."""

    async def story(on: Scene) -> None:
        await on.promote()
        on.live.is_worse = True
        firing = await on.told("regression", "firing")
        assert (wiring.utc_now() - datetime.fromisoformat(firing["timestamp"])).total_seconds() < 2
        data = firing["data"]
        assert (data["severity"], data["owner"], data["suites"]) == ("critical", "search", ["small"])
        assert data["deployment"]["since"] is not None
        compared = await asyncio.to_thread(command, *data["next_command"].split()[1:], "--json", cwd=on.folder, check=1)
        assert json.loads(compared.stdout)["verdict"] == "regressed"

        taken = await on.type("incident", "ack", data["incident_id"], "--by", "ada")
        assert taken["status"] == "acknowledged"
        acknowledged = await on.told("regression", "acknowledged")
        assert acknowledged["data"]["acknowledged_by"] == "ada"

        on.live.is_worse = False
        resolved = await on.told("regression", "resolved")
        assert resolved["data"]["resolution"] == "rolled_back"
        assert resolved["data"]["duration_s"] > 0
        # A busy machine may miss the three seconds in which data must come; that is an incident of another kind.
        told = [each["data"] for each in on.receiver.messages if each["data"]["kind"] == "regression"]
        assert len({each["dedup_key"] for each in told}) == 1
        listed = await on.type("incident", "list")
        assert [each["status"] for each in listed["incidents"] if each["kind"] == "regression"] == ["resolved"]
        assert listed["ledger"] == [{"target": "docs", "policy": "default", "fired": 1, "confirmed": 1, "dismissed": 0}]
        await on.metric('recallwatch_incidents_total{outcome="confirmed",policy="default",target="docs"} 1.0')

    tell(story)


def test_a_false_alarm_is_dismissed_and_stays_quiet(tell: Callable[[Story], None]) -> None:
    """The dismissal ends the page, goes into the ledger with its reason, and the same drop pages no more."""

    async def story(on: Scene) -> None:
        await on.promote()
        on.live.is_worse = True
        firing = await on.told("regression", "firing")
        incident_id = firing["data"]["incident_id"]
        await on.type("incident", "dismiss", incident_id, "--reason", "the suite is wrong", "--by", "ada")
        resolved = await on.told("regression", "resolved")
        assert resolved["data"]["resolution"] == "dismissed"
        shown = await on.type("incident", "show", incident_id)
        assert shown["reason"] == "the suite is wrong (ada)"
        await on.metric('recallwatch_incidents_total{outcome="dismissed",policy="default",target="docs"} 1.0')
        await asyncio.sleep(2)  # several more cycles see the same drop
        assert len(on.receiver.messages) == 2
        refused = await asyncio.to_thread(command, "incident", "ack", incident_id, "--by", "x", cwd=on.folder, check=3)
        assert refused.stderr == f"recallwatch: incident {incident_id} is dismissed: it cannot be acknowledged\n"

    tell(story)


def test_a_target_that_is_away_is_no_data_and_never_a_regression(tell: Callable[[Story], None]) -> None:
    """On-call hears that nothing is measured, and that it is again, but not that quality fell."""

    async def story(on: Scene) -> None:
        await on.promote()
        on.live.is_away = True
        firing = await on.told("no_data", "firing")
        assert "docs has not been measured" in firing["data"]["summary"]
        assert "40 unauthorised" in firing["data"]["summary"]
        await on.metric('recallwatch_no_data{schedule="often",target="docs"} 1.0')
        on.live.is_away = False
        resolved = await on.told("no_data", "resolved")
        assert resolved["data"]["dedup_key"] == firing["data"]["dedup_key"]
        await on.metric('recallwatch_no_data{schedule="often",target="docs"} 0.0')
        assert {message["data"]["kind"] for message in on.receiver.messages} == {"no_data"}

    tell(story)

"""One night on call: swap, page, acknowledgement from Slack, rollback by another build, with churn all the while.

Every notifier sends to a strict fake of its service. Each must get one firing, one acknowledged
and one resolved message.
"""

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor.model.deployments import Baseline, Deployment
from monitor.service import wiring
from monitor.service.api.server import listen, running
from monitor.service.daemon import Daemon, serving
from tests.conftest import command
from tests.contract.fakes import SERVICES, Fake, Received
from tests.system.test_on_call import a_suite
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SIGNING_SECRET = "s3cret-signing"
ONCE_EACH = {"firing": 1, "acknowledged": 1, "resolved": 1}


@dataclass
class Index:
    """A retriever whose documents come and go, and whose builds differ in detail."""

    build: str = "minilm-v6"
    churn: int = 0

    def create_app(self) -> Starlette:
        """Its HTTP application."""
        return Starlette(routes=[Route("/", self._search, methods=["POST"])])

    async def _search(self, request: Request) -> JSONResponse:
        body = await request.json()
        number = int(re.sub(r"\D", "", body["query"]))
        self.churn += number == 0  # one more document in every cycle
        found = self.build != "minilm-v7" or number % 3
        ids = [f"{self.build}-{rank}" for rank in range(body["k"])]
        if found:  # the second build ranks one query's document second
            ids.insert(1 if self.build == "minilm-v6b" and number == 5 else 0, f"d{number}")
        if number == 1:  # the new document enters the end of one ranking
            ids[body["k"] - 1] = f"new-{self.churn}"
        return JSONResponse({"hits": [{"id": each} for each in ids[: body["k"]]]})


@dataclass
class Night:
    """Everything that is running."""

    index: Index
    fakes: dict[str, Fake]
    daemon: Daemon
    folder: Path
    client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=60))

    def counts(self) -> dict[str, dict[str, int]]:
        """Messages by notifier and state."""
        return {name: dict(Counter(filter(None, map(state_of, each.received)))) for name, each in self.fakes.items()}

    async def have_all(self, state: str) -> None:
        """Wait until every notifier has a message in this state."""
        await until(lambda: all(state in counts for counts in self.counts().values()))

    async def run(self) -> Any:
        """The latest report of the schedule, after one more cycle."""
        before = self.daemon.scheduler.reports.get("often")
        await until(lambda: self.daemon.scheduler.reports.get("often") not in (None, before))
        return self.daemon.scheduler.reports["often"]

    async def deploy(self, name: str) -> None:
        """Serve another build, and declare it."""
        self.index.build = name
        declared = Deployment(target="docs", name=name, declared_by="ci", declared_at=wiring.utc_now())
        await self.daemon.store.save_deployment(declared)


def state_of(received: Received) -> str:
    """The state of an accepted message; empty for an edited one, which is not a new message."""
    content = received.content
    if isinstance(content, EmailMessage):
        return str(content["X-Recallwatch-State"])
    if isinstance(content, list):
        return str(content[0]["annotations"]["state"])
    if "ts" in content:
        return ""
    if "event_action" in content:
        return {"trigger": "firing", "acknowledge": "acknowledged", "resolve": "resolved"}[content["event_action"]]
    if "data" in content:
        return str(content["data"]["state"])
    first_words = str(content.get("fallbackText") or content.get("title") or content["text"])
    words = {"Resolved": "resolved", "Acknowledged": "acknowledged", "got worse": "firing"}
    return next(state for word, state in words.items() if word in first_words)


@asynccontextmanager
async def a_night(folder: Path, postgres_url: str) -> AsyncIterator[Night]:
    """A daemon that probes often, and a fake of every service."""
    index, suite = Index(), a_suite(folder / "small")
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", 0))
        url = await stack.enter_async_context(running(index.create_app(), listener))
        fakes = {
            name.replace(" ", "_"): await stack.enter_async_context(each.running()) for name, each in SERVICES.items()
        }
        fakes["slack_bot"].options["signing_secret"] = SIGNING_SECRET
        config = {
            "storage": {"url": postgres_url},
            "targets": {"docs": {"owner": "search", "retriever": {"kind": "http", "url": url}}},
            "suites": {"small": {"path": str(suite)}},
            "schedules": {"often": {"target": "docs", "suites": ["small"], "every": "1s", "no_data_after": "1h"}},
            "notifiers": {name: {"timeout": "60s", **each.options} for name, each in fakes.items()},
            "server": {"port": 0, "public_url": "https://recallwatch.internal", "signing_key": "s3cret-key"},
        }
        path = folder / "recallwatch.yaml"
        path.write_text(json.dumps(config))
        daemon = await stack.enter_async_context(serving(wiring.load(path)))
        night = Night(index, fakes, daemon, folder)
        stack.push_async_callback(night.client.aclose)
        yield night


async def press_acknowledge(night: Night) -> None:
    """Press the button of the message in Slack, as Slack reports it."""
    (message,) = [each.content for each in night.fakes["slack_bot"].received if "blocks" in each.content]
    button = next(each for each in message["blocks"][-1]["elements"] if each.get("action_id") == "acknowledge")
    payload = {"type": "block_actions", "user": {"username": "ada"}, "actions": [button]}
    body = urlencode({"payload": json.dumps(payload)}).encode()
    sent = str(int(time.time()))
    signature = hmac.new(SIGNING_SECRET.encode(), f"v0:{sent}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {"x-slack-request-timestamp": sent, "x-slack-signature": f"v0={signature}"}
    response = await night.client.post(f"{night.daemon.url}/notifiers/slack_bot/events", content=body, headers=headers)
    assert response.status_code == 200


def test_a_night_is_three_messages_in_every_notifier(tmp_path: Path, postgres_url: str) -> None:
    """Swap, page, acknowledgement from Slack, rollback by another build, recovery: one message of each state."""

    async def story() -> None:
        async with a_night(tmp_path, postgres_url) as night:
            await night.deploy("minilm-v6")
            run = (await night.run()).measured[0].run
            trusted = Baseline(target="docs", suite_name="small", run_id=run.run_id, promoted_by="ada",
                               reason="good", promoted_at=wiring.utc_now())  # fmt: skip
            await night.daemon.store.promote(trusted)
            for _ in range(3):
                await night.run()

            await night.deploy("minilm-v7")
            await night.have_all("firing")
            firing = next(each.content["data"] for each in night.fakes["webhook"].received)
            assert firing["deployment"]["candidate"] == "minilm-v7"
            assert firing["deployment"]["declared_by"] == "ci"
            for path in (firing["links"]["incident"], firing["links"]["comparison"], firing["links"]["run"]):
                address = path.replace("https://recallwatch.internal", night.daemon.url)
                assert (await night.client.get(address)).status_code == 200

            await press_acknowledge(night)
            await night.have_all("acknowledged")
            for _ in range(3):
                await night.run()

            await night.deploy("minilm-v6b")
            await night.have_all("resolved")
            for _ in range(3):
                await night.run()
            assert night.counts() == dict.fromkeys(night.fakes, ONCE_EACH)
            assert {name: each.complaints for name, each in night.fakes.items() if each.complaints} == {}
            assert night.index.churn > 5
            resolved = night.fakes["webhook"].received[-1].content["data"]
            assert (resolved["acknowledged_by"], resolved["resolution"]) == ("ada", "recovered")
            shown = await asyncio.to_thread(command, "incident", "list", "--json", cwd=night.folder)
            (incident,) = json.loads(shown.stdout)["incidents"]
            assert incident["status"] == "resolved"

    asyncio.run(story())

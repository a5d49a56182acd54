"""`/readyz` answers 503 until the daemon can work, and while the database is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import httpx
import pytest

from monitor.adapters.exporters.prometheus import Metrics
from monitor.adapters.stores.memory.ledger import MemoryLedgerStore
from monitor.config.config import Config, validate
from monitor.errors import StoreError
from monitor.service import daemon as daemon_module
from monitor.service import upkeep, wiring
from monitor.service.api.app import create_app
from monitor.service.daemon import serving
from monitor.service.readiness import Readiness

CONFIG = {
    "targets": {"docs": {"retriever": {"kind": "http", "url": "http://127.0.0.1:9/search", "timeout": "1s"}}},
    "suites": {"languages": {"path": "builtin:languages"}},
    "schedules": {"daily": {"target": "docs", "suites": ["languages"], "every": "1d"}},
    "server": {"port": 0, "token": "a-token", "drain_timeout": "1s"},
}


@dataclass(slots=True)
class FailingStore(MemoryLedgerStore):
    """A store in memory that opens late and whose database can be away."""

    is_away: bool = False

    async def outbox_backlog(self) -> tuple[int, int, datetime | None]:
        """The daemon's own query."""
        if self.is_away:
            raise StoreError("the database is out of reach")
        return await super(FailingStore, self).outbox_backlog()


@pytest.mark.parametrize(
    ("readiness", "status", "word"),
    [
        (Readiness(), 503, "starting"),
        (Readiness(store_is_open=True), 503, "starting"),
        (Readiness(schedules_are_planned=True), 503, "starting"),
        (Readiness(store_is_open=True, schedules_are_planned=True), 200, "ready"),
        (
            Readiness(store_is_open=True, schedules_are_planned=True, database_answers=False),
            503,
            "database_unreachable",
        ),
    ],
)
def test_readyz_answers_200_only_when_everything_is_there(readiness: Readiness, status: int, word: str):
    """Each missing condition is a 503 with its name."""

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(Metrics(), readiness))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/readyz")

    response = asyncio.run(get())
    assert (response.status_code, response.json()) == (status, {"status": word})


def test_a_daemon_is_ready_once_the_store_is_open_and_while_the_database_answers(monkeypatch: pytest.MonkeyPatch):
    """503 while the store opens, 200 once the schedules are planned, 503 while the database is away, 200 after."""
    store, may_open = FailingStore(), asyncio.Event()
    address: asyncio.Future[str]

    @asynccontextmanager
    async def open_late(_: Config) -> AsyncIterator[MemoryLedgerStore]:
        await may_open.wait()
        yield store

    @asynccontextmanager
    async def running(app: object, listener: object, tls: object = None) -> AsyncIterator[str]:
        async with daemon_module_running(app, listener) as url:  # type: ignore[arg-type]
            address.set_result(url)
            yield url

    daemon_module_running = daemon_module.running
    monkeypatch.setattr(wiring, "open_store", open_late)
    monkeypatch.setattr(daemon_module, "running", running)
    monkeypatch.setattr(upkeep, "PULSE_S", 0.01)
    monkeypatch.setattr(upkeep, "POLL_S", 0.01)

    async def run() -> None:
        nonlocal address
        address = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()

        async def serve() -> None:
            async with serving(wiring.assemble(validate(Config, CONFIG, where=""))):
                await stop.wait()

        task = asyncio.create_task(serve())
        async with httpx.AsyncClient(base_url=await address) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
            deployments = await client.get("/api/v1/deployments", headers={"authorization": "Bearer a-token"})
            assert (deployments.status_code, "not open" in deployments.json()["detail"]) == (503, True)
            may_open.set()
            await _until_status(client, 200)
            store.is_away = True
            await _until_status(client, 503)
            store.is_away = False
            await _until_status(client, 200)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_declared_deployments_reach_the_store_only_while_it_is_open():
    """Before the store is open, declaring is an error that names `/readyz`."""
    daemon = daemon_module.Daemon(Metrics(), wiring.assemble(validate(Config, CONFIG, where="")))
    with pytest.raises(StoreError, match="/readyz"):
        daemon.backend.store()


async def _until_status(client: httpx.AsyncClient, status: int) -> None:
    async with asyncio.timeout(60):
        while (await client.get("/readyz")).status_code != status:  # noqa: ASYNC110 - the server sends no event
            await asyncio.sleep(0.01)

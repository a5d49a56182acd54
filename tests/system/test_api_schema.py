"""The running API under requests made from its own OpenAPI document: every check of schemathesis, and no 5xx."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from monitor.adapters.exporters.prometheus import Metrics
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.config.config import Config, validate
from monitor.model.access import Scope
from monitor.model.deployments import Baseline
from monitor.model.incidents import Incident, IncidentStatus
from monitor.model.silences import Silence
from monitor.service import wiring
from monitor.service.api.access import Guard
from monitor.service.api.app import create_app
from monitor.service.api.backend import Backend
from monitor.service.api.gate_runner import GateRunner
from monitor.service.api.server import listen, running
from monitor.service.readiness import Readiness
from monitor.service.tokens import new_token
from monitor.testing.runs import NOW, a_run, a_suite
from monitor.testing.stores import save_finished_run

SECONDS = int(os.environ.get("RECALLWATCH_API_SECONDS", "40"))
"""How long random requests are sent, and how long sequences of requests."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 300)]
CONFIG: dict[str, Any] = {
    "targets": {"docs": {"retriever": {"kind": "http", "url": "http://127.0.0.1:9/search", "timeout": "1s"}}},
    "server": {"port": 0, "requests_per_minute": 1_000_000, "wrong_tokens_per_minute": 1_000_000},
}


class Server:
    """The API on a real database and a real socket, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self.database = url
        self.url, self.token = "", ""
        self._ready, self._stop = Event(), Event()
        self._thread = Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> "Server":
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    async def _serve(self) -> None:
        checked = wiring.assemble(validate(Config, CONFIG, where=""))
        async with AsyncExitStack() as stack:
            store = PostgresStore(self.database)
            await store.open()
            stack.push_async_callback(store.close)
            gates = GateRunner(lambda: store, lambda: checked, wiring.utc_now)
            stack.push_async_callback(gates.stop)
            guard = Guard(lambda: store, lambda: checked.config.server, wiring.utc_now)
            backend = Backend(
                store=lambda: store, checked=lambda: checked, now=wiring.utc_now, guard=guard, gates=gates
            )
            token, self.token = new_token("test", [Scope.ADMIN], by="ada", at=wiring.utc_now())
            await store.add_token(token)
            await _fill(store)
            listener = stack.enter_context(listen("127.0.0.1", 0))
            app = create_app(Metrics(), Readiness(), backend)
            self.url = await stack.enter_async_context(running(app, listener))
            self._ready.set()
            await asyncio.to_thread(self._stop.wait)


async def _fill(store: PostgresStore) -> None:
    await save_finished_run(store, a_suite())
    await store.promote(
        Baseline(target="target", suite_name="sample", run_id="run-1", promoted_by="ada", reason="", promoted_at=NOW)
    )
    await store.start_run(a_run(a_suite(), "run-2"))
    await store.save_incident(
        Incident(
            incident_id="incident_1",
            dedup_key="k",
            target="target",
            subject="target",
            opened_at=NOW,
            status=IncidentStatus.OPEN,
            fallen=(("sample", "overall", "recall@10"),),
        ),
        (),
    )
    nights = Silence(silence_id="silence_1", author="ada", reason="r", daily=(time(22), time(6)), created_at=NOW)
    await store.save_silence(nights)


@pytest.fixture(scope="module")
def server(postgres_server: str) -> Iterator[Server]:
    """One running API for all tests of this file."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE api_schema TEMPLATE template_recallwatch")
    with Server(postgres_server.replace("/postgres?", "/api_schema?")) as running_server:
        yield running_server


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing", "stateful"])
def test_every_operation_keeps_its_document(server: Server, tmp_path: Path, phases: str) -> None:
    """Edge cases, random requests and sequences of requests pass every check: documented answers, and no 5xx."""
    # Every edge case is sent once; random requests repeat until their time is over.
    bound = () if phases == "examples,coverage" else ("--max-time", str(SECONDS), "--max-examples", "10")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/api/v1/openapi.json"),
            *("--url", f"{server.url}/api/v1", "--header", f"Authorization: Bearer {server.token}"),
            *("--checks", "all", "--phases", phases, *bound),
            *("--seed", "7", "--no-color", "--request-timeout", "20", "--generation-database", "none"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS + 280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    with psycopg.connect(server.database) as connection:
        used = connection.execute("SELECT last_used_at FROM token").fetchall()
    assert used[0][0] is not None, "no request reached the real database"

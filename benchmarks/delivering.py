"""Draining 10,000 queued alerts to a webhook that answers in 5 ms, and the delay of a new one."""

from __future__ import annotations

import asyncio
import base64
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from benchmarks.result import Result, dump
from benchmarks.timing import say
from monitor.adapters.notifiers.webhook import WebhookNotifier, WebhookOptions
from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.alerting.outbox import OutboxWorker
from monitor.cli.process import run_until_done
from monitor.incidents import operational
from monitor.incidents.routing import OnCall
from monitor.service.wiring import utc_now

N_ALERTS, N_SINGLE, ANSWER_S = 10_000, 50, 0.005
GOAL_RATE, GOAL_DELAY_S = 500.0, 2.0
ON_CALL = OnCall(notifiers=("on-call",))
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Hook(asyncio.Protocol):
    """A webhook that answers every request after 5 ms."""

    n_received = 0
    arrived = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport for answers."""
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        self.received += data
        while (head := self.received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.received, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self.received) < end:
                return
            self.received = self.received[end:]
            Hook.n_received += 1
            Hook.arrived.set()
            asyncio.get_running_loop().call_later(ANSWER_S, self._answer)

    def _answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def queue(store: PostgresStore, start: int, count: int) -> None:
    """Queue alerts, each of another incident, committed as the daemon commits them."""
    for number in range(start, start + count):
        fault = operational.no_data(
            f"schedule-{number}", "target", suites=["suite"], axes=["broad"], silent_s=60, last_at=None, problem=""
        )
        incident, alerts = operational.open_incident(None, fault, ON_CALL, at=utc_now())
        if incident is None or not await store.save_incident(incident, alerts):
            raise ValueError("nothing was queued")


async def received(count: int) -> None:
    """Wait until the webhook has received so many alerts."""
    while Hook.n_received < count:
        Hook.arrived.clear()
        await Hook.arrived.wait()


@asynccontextmanager
async def delivering(courier: OutboxWorker) -> AsyncIterator[None]:
    """Run an outbox worker in the background."""
    loop = asyncio.gather(*(run() for run in courier.loops().values()))
    try:
        yield
    finally:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop


async def measure(store: PostgresStore, courier: OutboxWorker) -> list[Result]:
    """Alerts a second, and the delay from a commit to its arrival."""
    say(f"delivering: {N_ALERTS:,} queued alerts, then {N_SINGLE} one by one")
    await queue(store, 0, N_ALERTS)
    started = time.perf_counter()
    async with delivering(courier):
        await received(N_ALERTS)
        while (await store.count_deliveries())["pending"]:  # noqa: ASYNC110 - the last are being marked
            await asyncio.sleep(0.01)
        rate = N_ALERTS / (time.perf_counter() - started)
        delays = []
        for number in range(N_SINGLE):
            await asyncio.sleep(0.02)  # until the courier has nothing to do
            await queue(store, N_ALERTS + number, 1)
            committed = time.perf_counter()
            courier.wake()
            await received(N_ALERTS + number + 1)
            delays.append(time.perf_counter() - committed)
    slowest, usual = max(delays), statistics.median(delays)
    say(f"delivering: median delay {1_000 * usual:.1f} ms, slowest {1_000 * slowest:.1f} ms")
    return [
        Result("draining the outbox, answers in 5 ms", "alerts/s", rate, goal=GOAL_RATE, unit_of_goal="alerts/s"),
        Result("slowest alert after its commit", "s", slowest, goal=GOAL_DELAY_S, at_most=True, unit_of_goal="s"),
    ]


async def compare() -> list[Result]:
    """Through the real webhook notifier and an embedded PostgreSQL."""
    server = await asyncio.get_running_loop().create_server(Hook, "127.0.0.1", 0, backlog=1_024)
    port = server.sockets[0].getsockname()[1]
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    notifier = WebhookNotifier(WebhookOptions.model_validate({"url": f"http://127.0.0.1:{port}/", "secret": secret}))
    with tempfile.TemporaryDirectory(prefix="recallwatch-") as folder:
        store = PostgresStore(EmbeddedPostgres(Path(folder)))
        await store.open()
        try:
            return await measure(store, OutboxWorker(store, {"on-call": notifier}, utc_now, on_call=ON_CALL))
        finally:
            await notifier.close()
            await store.close()
            server.close()


if __name__ == "__main__":
    from monitor.cli.process import configure_logging

    configure_logging()
    print(dump(run_until_done(compare())))

"""Every alert arrives at every HTTP service at least once and in order, despite random faults of real connections.

`RECALLWATCH_SOCKET_FAULTS=1000` runs the long form.
"""

import asyncio
import os
import random
import re
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.adapters import registry
from monitor.adapters.stores.memory.store import MemoryStore
from monitor.alerting.outbox import OutboxWorker
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Incident, IncidentStatus
from monitor.testing.alerts import AT, an_alert
from tests.contract.fakes import CERTIFICATE, SERVICES, HttpService, Received
from tests.contract.local_server import read_request, reply
from tests.system.test_night import state_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

N_FAULTS = int(os.environ.get("RECALLWATCH_SOCKET_FAULTS", "150"))
TIMEOUT_S = 1.0
BEFORE_READING = ("reset before the request", "slow read")
AFTER_READING = ("reset after the request", "half-close", "truncated response", "500", "429", "404", "401")
ON_THE_WAY = ("TLS refused", "DNS failure")
LIVES = {
    AlertState.FIRING: IncidentStatus.OPEN,
    AlertState.ACKNOWLEDGED: IncidentStatus.ACKNOWLEDGED,
    AlertState.RESOLVED: IncidentStatus.RESOLVED,
}


@dataclass
class Weather:
    """Random faults, and a clock that the test moves."""

    rng: random.Random
    now: datetime = AT
    is_calm: bool = False
    faults: Counter[str] = field(default_factory=Counter)

    def __call__(self) -> datetime:
        """The current time."""
        return self.now

    def fault(self, *kinds: str, share: float) -> str:
        """One of these faults in a share of the cases; empty for none."""
        if self.is_calm or self.rng.random() >= share:
            return ""
        kind = self.rng.choice(kinds)
        self.faults[kind] += 1
        return kind


@dataclass
class FaultyService:
    """A service over real sockets; it reads and checks a message before most of its faults."""

    service: HttpService
    weather: Weather
    received: list[Received] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            fault = self.weather.fault(*BEFORE_READING, *AFTER_READING, share=0.5)
            if fault == "slow read":
                await asyncio.sleep(2 * TIMEOUT_S)
            if fault in BEFORE_READING:
                return reset(writer)
            request = await read_request(reader)
            if not fault.isdigit():  # a status of failure: the service did not take the message
                self._take(self.service.read(request))
            await self._answer(fault, reader, writer, request)
        except (ConnectionError, asyncio.IncompleteReadError):
            return None
        except Exception as error:  # noqa: BLE001 - the test shows it at its end
            self.complaints.append(f"{type(error).__name__}: {error}")
        finally:
            writer.close()

    async def _answer(
        self, fault: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Any
    ) -> None:
        if fault == "reset after the request":
            reset(writer)
        elif fault == "half-close":
            writer.write_eof()
            await reader.read()
        elif fault == "truncated response":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-len")
            await writer.drain()
        elif fault:
            await reply(int(fault), headers={"retry-after": "7"} if fault == "429" else None)(request, writer)
        else:
            await self.service.accepts(request, writer)

    def _take(self, received: Received) -> None:
        self.received.append(received)

    def first_arrivals(self) -> dict[tuple[str, str], int]:
        """The position of the first message for each target and state."""
        first: dict[tuple[str, str], int] = {}
        for position, received in enumerate(self.received):
            state = state_of(received)
            target = re.search(r"target-\d+", f"{received.key} {received.content}")
            if state and target:
                first.setdefault((target[0], state), position)
        return first


def reset(writer: asyncio.StreamWriter) -> None:
    """Abort the connection with a TCP reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class Route:
    """One notifier, with ways to its service that fail."""

    weather: Weather
    ways: dict[str, Any]

    async def notify(self, alert: Alert) -> str | None:
        """Deliver by the way that the weather allows."""
        receipt: str | None = await self.ways[self.weather.fault(*ON_THE_WAY, share=0.15)].notify(alert)
        return receipt

    async def close(self) -> None:
        """Close the connections."""
        for way in self.ways.values():
            await way.close()


@asynccontextmanager
async def listening(handle: Any, **options: Any) -> AsyncIterator[int]:
    """The port of a server with this handler."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def routes(weather: Weather) -> AsyncIterator[tuple[dict[str, Route], dict[str, FaultyService]]]:
    """A notifier and a faulty service of every kind that is reached over HTTP."""
    services = {name: FaultyService(each, weather) for name, each in SERVICES.items() if isinstance(each, HttpService)}
    untrusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    untrusted.load_cert_chain(CERTIFICATE)
    async with AsyncExitStack() as stack:
        tls_port = await stack.enter_async_context(listening(lambda _, writer: writer.close(), ssl=untrusted))
        routes = {}
        for name, faulty in services.items():
            port = await stack.enter_async_context(listening(faulty.handle))
            origins = {
                "": f"http://127.0.0.1:{port}",
                "TLS refused": f"https://127.0.0.1:{tls_port}",
                "DNS failure": "http://recallwatch.invalid",
            }
            routes[name] = Route(weather, {way: build(faulty.service, origin) for way, origin in origins.items()})
            stack.push_async_callback(routes[name].close)
        yield routes, services


def build(service: HttpService, origin: str) -> Any:
    """The notifier of a service at this origin."""
    path = service.path if service.url_path is None else service.url_path
    options = {**service.options, service.url_key: origin + path, "timeout": f"{TIMEOUT_S:g}s"}
    return registry.resolve("notifier", options, where="n").build()


async def next_alert(store: MemoryStore, lives: dict[str, Incident], names: tuple[str, ...], weather: Weather) -> None:
    """Open an incident, or let one reach its next state."""
    unfinished = [each for each in lives.values() if each.is_active]
    if len(unfinished) < 3:
        target = f"target-{len(lives)}"
        incident = Incident(
            incident_id=f"i-{target}", dedup_key=f"key/{target}", target=target, opened_at=AT, subject=target,
            status=IncidentStatus.OPEN,
        )  # fmt: skip
        state = AlertState.FIRING
    else:
        before = weather.rng.choice(unfinished)
        is_open = before.status is IncidentStatus.OPEN
        state = AlertState.ACKNOWLEDGED if is_open else AlertState.RESOLVED
        incident = replace(before, status=LIVES[state], revision=before.revision + 1)
    content = an_alert(state, target=incident.target, incident_id=incident.incident_id, dedup_key=incident.dedup_key)
    alert = replace(
        content,
        alert_id=f"{incident.incident_id}/{state}",
        incident_id=incident.incident_id,
        dedup_key=incident.dedup_key,
        created_at=weather.now,
        notifiers=names if state is AlertState.FIRING else (),
    )
    assert await store.save_incident(incident, [alert])
    lives[incident.target] = incident


async def live_through(seed: int) -> tuple[Weather, MemoryStore, dict[str, Incident], dict[str, FaultyService]]:
    """Alerts in bad weather, until there were enough faults; then the rest in calm weather."""
    weather, store = Weather(random.Random(seed)), MemoryStore()  # noqa: S311 - faults, not secrets
    lives: dict[str, Incident] = {}
    async with routes(weather) as (notifiers, services):
        worker = OutboxWorker(store, notifiers, weather, random.Random(seed))  # noqa: S311 - jitter
        while weather.faults.total() < N_FAULTS:
            await next_alert(store, lives, tuple(notifiers), weather)
            await worker.deliver_due()
            weather.now += timedelta(seconds=weather.rng.uniform(0, 300))
        weather.is_calm = True
        while (await store.count_deliveries())["pending"]:
            await worker.deliver_due()
            weather.now += timedelta(minutes=10)
    return weather, store, lives, services


def test_faults_of_real_connections_lose_nothing() -> None:
    """No alert is lost or given up; each arrives at each service at least once, in the order of its incident."""
    weather, store, lives, services = asyncio.run(live_through(17))
    assert weather.faults.keys() == {*BEFORE_READING, *AFTER_READING, *ON_THE_WAY}, weather.faults
    assert min(weather.faults.values()) >= N_FAULTS // 30
    counts = asyncio.run(store.count_deliveries())
    assert counts == {"pending": 0, "delivered": len(store.queue), "dead": 0, "silenced": 0}
    states = [str(each) for each in LIVES]
    queued = [each.delivery.alert for each in store.queue.values()]  # reports about failing notifiers go to no notifier
    reached = {(alert.payload["data"]["target"], str(alert.state)) for alert in queued}
    for name, service in services.items():
        assert service.complaints == [], name
        first = service.first_arrivals()
        assert first.keys() == reached, name
        for target in lives:
            positions = [first[target, state] for state in states if (target, state) in first]
            assert positions == sorted(positions), (name, target)

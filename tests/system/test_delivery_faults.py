"""Every alert arrives at least once, in order and under one id, despite a thousand random faults."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.alerting.outbox import LEASE_S, OutboxWorker
from monitor.errors import NotifierError, Reason
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Incident, IncidentStatus
from monitor.ports.store import Store

pytestmark = pytest.mark.slow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
N_FAULTS, N_TARGETS = 1_000, 12
NAMES = ("pager", "chat")
LIVES = {
    AlertState.FIRING: AlertState.ACKNOWLEDGED,
    AlertState.ACKNOWLEDGED: AlertState.RESOLVED,
    AlertState.RESOLVED: AlertState.FIRING,
}
STATUSES = {
    AlertState.FIRING: IncidentStatus.OPEN,
    AlertState.ACKNOWLEDGED: IncidentStatus.ACKNOWLEDGED,
    AlertState.RESOLVED: IncidentStatus.RESOLVED,
}


class KilledError(BaseException):
    """The process is killed at this point."""


@dataclass
class Street:
    """A clock that jumps, and receivers that fail in many ways."""

    rng: random.Random
    now: datetime = NOON
    is_calm: bool = False
    faults: Counter[str] = field(default_factory=Counter)
    arrived: dict[str, list[Alert]] = field(default_factory=lambda: {name: [] for name in NAMES})

    def __call__(self) -> datetime:
        """The current time."""
        return self.now

    def move_on(self) -> None:
        """Let time pass, or set the clock forwards or back."""
        if not self.is_calm and self.rng.random() < 0.1:
            self.faults["clock jump"] += 1
            self.now += timedelta(seconds=self.rng.uniform(-7_200, 7_200))
        else:
            self.now += timedelta(seconds=self.rng.uniform(0, 180))

    def receive(self, name: str, alert: Alert) -> None:
        """Accept a message, or fail."""
        faults = (self._down, self._slow, self._overloaded, self._broken, self._reset, self._late, self._killed)
        if not self.is_calm and self.rng.random() < 0.5:
            self.rng.choice(faults)(name, alert)
        else:
            self.arrived[name].append(alert)

    def _down(self, name: str, alert: Alert) -> None:
        self.faults["down"] += 1
        raise NotifierError(Reason.UNREACHABLE, "connection refused")

    def _slow(self, name: str, alert: Alert) -> None:
        self.faults["slow"] += 1
        raise TimeoutError

    def _overloaded(self, name: str, alert: Alert) -> None:
        self.faults["429"] += 1
        raise NotifierError(Reason.RATE_LIMITED, "HTTP 429", retry_after_s=self.rng.uniform(1, 600))

    def _broken(self, name: str, alert: Alert) -> None:
        self.faults["500"] += 1
        raise NotifierError(Reason.BROKEN, "HTTP 500")

    def _reset(self, name: str, alert: Alert) -> None:
        self.faults["reset after the request was read"] += 1
        self.arrived[name].append(alert)
        raise NotifierError(Reason.BROKEN, "connection reset")

    def _late(self, name: str, alert: Alert) -> None:
        self.faults["outlived its lease"] += 1
        self.now += timedelta(seconds=2 * LEASE_S)
        self.arrived[name].append(alert)

    def _killed(self, name: str, alert: Alert) -> None:
        self.faults["killed"] += 1
        if self.rng.random() < 0.5:
            self.arrived[name].append(alert)
        raise KilledError


@dataclass
class Door:
    """One notifier of the street."""

    name: str
    street: Street

    async def notify(self, alert: Alert) -> None:
        """Deliver the alert after other tasks have run."""
        await asyncio.sleep(0)
        self.street.receive(self.name, alert)

    async def close(self) -> None:
        """Nothing to close."""


def doors(street: Street) -> Mapping[str, Door]:
    """Every notifier."""
    return {name: Door(name, street) for name in NAMES}


async def tell_next(store: Store, lives: dict[str, Incident], sent: list[Alert], street: Street) -> None:
    """Store the next alert about one of the incidents."""
    target = f"target-{street.rng.randrange(N_TARGETS)}"
    incident_before = lives.get(target)
    if incident_before is None:
        incident, state = (
            Incident(
                incident_id=f"i-{target}", dedup_key=f"key-{target}", target=target, opened_at=NOON, subject=target
            ),
            AlertState.FIRING,
        )
        incident = replace(incident, status=IncidentStatus.OPEN)
    else:
        state = LIVES[next(each.state for each in reversed(sent) if each.incident_id == incident_before.incident_id)]
        incident = replace(incident_before, status=STATUSES[state], revision=incident_before.revision + 1)
    alert = Alert(
        alert_id=f"{incident.incident_id}/{incident.revision}",
        incident_id=incident.incident_id,
        dedup_key=incident.dedup_key,
        state=state,
        payload={"data": {"state": str(state), "n": incident.revision}},
        created_at=street.now,
        notifiers=NAMES if state is AlertState.FIRING else (),
    )
    assert await store.save_incident(incident, [alert])
    lives[target] = incident
    sent.append(alert)


async def live_through(store: Store, seed: int) -> tuple[Street, list[Alert]]:
    """Two workers on one outbox with random faults, then a day without faults."""
    street = Street(random.Random(seed))  # noqa: S311 - faults, not secrets
    lives: dict[str, Incident] = {}
    sent: list[Alert] = []
    couriers = [OutboxWorker(store, doors(street), street, random.Random(seed + at)) for at in range(2)]  # noqa: S311 - jitter
    while street.faults.total() < N_FAULTS:
        for _ in range(street.rng.randrange(3)):
            await tell_next(store, lives, sent, street)
        ended = await asyncio.gather(*(each.deliver_due() for each in couriers), return_exceptions=True)
        for at, end in enumerate(ended):
            if isinstance(end, KilledError):  # somebody starts it again
                couriers[at] = OutboxWorker(store, doors(street), street, random.Random(seed))  # noqa: S311 - jitter
            elif isinstance(end, BaseException):
                raise end
        street.move_on()
    street.is_calm = True
    while (await store.count_deliveries())["pending"]:
        await couriers[0].deliver_due()
        street.now += timedelta(minutes=10)
    return street, sent


@asynccontextmanager
async def opened(url: str | None) -> AsyncIterator[Store]:
    """A store of the requested kind."""
    store: Store = PostgresStore(url) if url else MemoryStore()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.mark.parametrize(("kind", "seed"), [("memory", 1), ("memory", 2), ("memory", 3), ("postgres", 4)])
def test_a_thousand_faults_lose_nothing(request: pytest.FixtureRequest, kind: str, seed: int) -> None:
    """Each alert reaches each notifier at least once, in order per incident, with a stable message and id."""
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else None

    async def run() -> tuple[Street, list[Alert], Mapping[str, int]]:
        async with opened(url) as store:
            street, sent = await live_through(store, seed)
            return street, sent, await store.count_deliveries()

    street, sent, counted = asyncio.run(run())
    assert street.faults.total() >= N_FAULTS
    assert min(street.faults.values()) >= 20, street.faults
    assert len(street.faults) == 8
    for name in NAMES:
        _arrived_in_order(street.arrived[name], sent)
    assert counted == {"pending": 0, "delivered": len(NAMES) * len(sent), "dead": 0, "silenced": 0}


def _arrived_in_order(arrived: list[Alert], sent: list[Alert]) -> None:
    first: dict[str, int] = {}
    for at, alert in enumerate(arrived):
        first.setdefault(alert.alert_id, at)
    assert first.keys() == {alert.alert_id for alert in sent}
    payloads = {alert.alert_id: alert.payload for alert in sent}
    assert all(alert.payload == payloads[alert.alert_id] for alert in arrived)
    for incident_id in {alert.incident_id for alert in sent}:
        lane = [first[alert.alert_id] for alert in sent if alert.incident_id == incident_id]
        assert all(before < after for before, after in pairwise(lane))

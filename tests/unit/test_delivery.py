"""Every queued alert reaches its notifier at least once, in order, or is kept as a dead letter."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from monitor.adapters.stores.memory import MemoryStore
from monitor.delivery import LEASE_S, MAX_ATTEMPTS, MAX_WAIT_S, Courier
from monitor.errors import NotifierError, Reason, StoreError
from monitor.ports import Notifier
from monitor.verdict import Alert, AlertState, Delivery, Policy, Verdict, VerdictName

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PASSING = tuple(reason for reason in Reason if reason.is_worth_retrying)
LASTING = tuple(reason for reason in Reason if not reason.is_worth_retrying)


class Clock:
    """A time that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """The time it is."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class ScriptedNotifier:
    """Refuses with each error once, in order, then accepts."""

    def __init__(self, *errors: Exception) -> None:
        self.tried: list[str] = []
        self.accepted: list[str] = []
        self._errors = list(errors)

    async def notify(self, alert: Alert) -> None:
        """Accept the alert, or refuse it as told."""
        self.tried.append(alert.alert_id)
        if self._errors:
            raise self._errors.pop(0)
        self.accepted.append(alert.alert_id)

    async def close(self) -> None:
        """Nothing to give back."""


def alert(alert_id: str, target: str = "production", state: AlertState = AlertState.FIRING) -> Alert:
    """An alert about a target."""
    return Alert(alert_id, f"incident-{target}", f"recallwatch/{target}", state, {"type": "incident"}, NOON)


def verdict() -> Verdict:
    """A verdict for alerts to hang on."""
    return Verdict(
        verdict_id="v1",
        cycle_id="c1",
        target="production",
        name=VerdictName.REGRESSED,
        summary="fell",
        advice="roll back",
        evidence=(),
        run_ids=("r2",),
        baseline_run_ids=("r1",),
        policy=Policy(),
        policy_digest="",
        seed=0,
        method="",
        decided_at=NOON,
    )


class Office:
    """A courier with its store and clock, used from tests that are not asynchronous."""

    def __init__(self, notifiers: Mapping[str, Notifier], store: MemoryStore | None = None) -> None:
        self.clock = Clock()
        self.store = store or MemoryStore()
        self.courier = Courier(self.store, notifiers, self.clock, random.Random(7))  # noqa: S311 - jitter, not a secret

    def queue(self, *alerts: Alert, notifiers: Sequence[str] = ("on-call",)) -> None:
        """Put alerts into the outbox."""
        asyncio.run(self.store.save_decision(verdict(), None, alerts, notifiers))

    def deliver(self, after_s: float = 0.0) -> int:
        """Let time pass, then deliver what is due."""
        self.clock.advance(after_s)
        return asyncio.run(self.courier.deliver_due())

    @property
    def states(self) -> dict[str, int]:
        """How many deliveries are pending, delivered and dead."""
        return dict(asyncio.run(self.store.count_deliveries()))


def counted(pending: int = 0, delivered: int = 0, dead: int = 0) -> dict[str, int]:
    """What the store counts."""
    return {"pending": pending, "delivered": delivered, "dead": dead}


def test_an_alert_that_is_accepted_is_delivered_once():
    """What the notifier has accepted is not sent again."""
    notifier = ScriptedNotifier()
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    assert [office.deliver(), office.deliver(), office.deliver(after_s=2 * LEASE_S)] == [1, 0, 0]
    assert notifier.accepted == ["a1"]
    assert office.states == counted(delivered=1)
    assert office.courier.delivered == {("on-call", AlertState.FIRING): 1}


def test_queueing_an_alert_twice_delivers_it_once():
    """An alert that is decided again, after a crash, is the same alert."""
    notifier = ScriptedNotifier()
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    office.queue(alert("a1"))
    office.deliver()
    office.deliver(after_s=2 * LEASE_S)
    assert notifier.accepted == ["a1"]


def test_every_notifier_gets_the_alert():
    """One notifier that refuses does not keep the alert from another."""
    refusing, accepting = ScriptedNotifier(NotifierError(Reason.REJECTED, "HTTP 404")), ScriptedNotifier()
    office = Office({"mail": refusing, "on-call": accepting})
    office.queue(alert("a1"), notifiers=("mail", "on-call"))
    office.deliver()
    assert accepting.accepted == ["a1"]
    assert office.states == counted(delivered=1, dead=1)


@pytest.mark.parametrize("reason", PASSING)
def test_a_passing_refusal_is_tried_again_later(reason):
    """An alert whose notifier is down for a while is not lost, and not sent before its time."""
    notifier = ScriptedNotifier(NotifierError(reason, "down"))
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    assert office.deliver() == 1
    assert office.deliver() == 0
    assert office.states == counted(pending=1)
    assert office.deliver(after_s=1.0) == 1
    assert notifier.accepted == ["a1"]
    assert office.courier.failed == {("on-call", reason): 1}


def test_the_wait_doubles_with_jitter_up_to_a_limit():
    """Attempt n is followed by half to all of 2ⁿ⁻¹ seconds, and never by more than ten minutes."""
    notifier = ScriptedNotifier(*[NotifierError(Reason.BROKEN, "HTTP 500")] * (MAX_ATTEMPTS - 1))
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    waits = []
    for _ in range(MAX_ATTEMPTS - 1):
        assert office.deliver() == 1
        waits.append((office.store.queue[1].next_attempt_at - office.clock.now).total_seconds())
        office.clock.advance(waits[-1])
    for attempt, wait in enumerate(waits, 1):
        longest = min(2.0 ** (attempt - 1), MAX_WAIT_S)
        assert longest / 2 - 1e-6 <= wait <= longest + 1e-6
    assert office.deliver() == 1
    assert notifier.accepted == ["a1"]


def test_a_receiver_that_says_when_to_come_back_is_obeyed():
    """Retry-After takes the place of the courier's own wait."""
    notifier = ScriptedNotifier(NotifierError(Reason.RATE_LIMITED, "HTTP 429", retry_after_s=90.0))
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    office.deliver()
    assert office.deliver(after_s=89.0) == 0
    assert office.deliver(after_s=1.0) == 1
    assert notifier.accepted == ["a1"]


@pytest.mark.parametrize("wish_s", [1e9, 1e30, float("inf")])
def test_a_receiver_cannot_send_the_courier_away_for_good(wish_s):
    """A Retry-After of years is shortened to something that on-call can live with."""
    notifier = ScriptedNotifier(NotifierError(Reason.RATE_LIMITED, "HTTP 429", retry_after_s=wish_s))
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    office.deliver()
    assert office.deliver(after_s=86_400.0) == 1
    assert notifier.accepted == ["a1"]


@pytest.mark.parametrize("reason", LASTING)
def test_a_lasting_refusal_is_a_dead_letter(reason):
    """An alert that is refused for good is kept as dead with its reason, and not sent again."""
    notifier = ScriptedNotifier(NotifierError(reason, "refused"))
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    office.deliver()
    assert office.deliver(after_s=86_400.0) == 0
    assert office.states == counted(dead=1)
    assert office.store.queue[1].settled == f"{reason}: refused"
    assert notifier.tried == ["a1"]


def test_an_alert_is_given_up_after_many_attempts():
    """A notifier that never comes back ends in a dead letter, not in an endless loop."""
    notifier = ScriptedNotifier(*[NotifierError(Reason.UNREACHABLE, "refused")] * 100)
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    for _ in range(60):
        office.deliver(after_s=2 * MAX_WAIT_S)
    assert len(notifier.tried) == MAX_ATTEMPTS
    assert office.states == counted(dead=1)


def test_resolved_never_overtakes_firing():
    """While the first message of an incident waits, later ones wait behind it."""
    notifier = ScriptedNotifier(NotifierError(Reason.BROKEN, "HTTP 500"))
    office = Office({"on-call": notifier})
    office.queue(alert("firing"), alert("resolved", state=AlertState.RESOLVED))
    assert office.deliver() == 1
    assert office.deliver() == 0
    office.deliver(after_s=5.0)
    office.deliver()
    assert notifier.accepted == ["firing", "resolved"]


def test_incidents_of_other_targets_do_not_wait():
    """A message that is stuck holds up its own incident only."""
    notifier = ScriptedNotifier(NotifierError(Reason.BROKEN, "HTTP 500"))
    office = Office({"on-call": notifier})
    office.queue(alert("a1", "production"), alert("b1", "staging"))
    office.deliver()
    assert notifier.accepted == ["b1"]


def test_a_dead_letter_does_not_hold_up_what_follows():
    """After a message is given up, the next one of its incident is sent."""
    notifier = ScriptedNotifier(NotifierError(Reason.REJECTED, "HTTP 400"))
    office = Office({"on-call": notifier})
    office.queue(alert("firing"), alert("resolved", state=AlertState.RESOLVED))
    office.deliver()
    office.deliver()
    assert notifier.accepted == ["resolved"]


def test_a_notifier_that_was_configured_away_keeps_its_alert():
    """Taking a notifier out of the configuration loses nothing: the alert goes out when it is back."""
    office = Office({})
    office.queue(alert("a1"))
    office.deliver()
    assert office.states == counted(pending=1)
    notifier = ScriptedNotifier()
    back = Office({"on-call": notifier}, office.store)
    back.deliver(after_s=LEASE_S)
    assert notifier.accepted == ["a1"]
    assert back.states == counted(delivered=1)


def test_waiting_for_a_notifier_to_come_back_uses_up_no_attempts():
    """An alert that was never sent is not given up at the first refusal."""
    office = Office({})
    office.queue(alert("a1"))
    for _ in range(2 * MAX_ATTEMPTS):
        office.deliver(after_s=LEASE_S)
    notifier = ScriptedNotifier(NotifierError(Reason.BROKEN, "HTTP 500"))
    back = Office({"on-call": notifier}, office.store)
    back.clock.now = office.clock.now
    back.deliver(after_s=LEASE_S)
    assert back.states == counted(pending=1)


def test_an_alert_whose_courier_died_is_sent_again():
    """A courier that took an alert and vanished holds it only as long as its lease."""
    notifier = ScriptedNotifier()
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    asyncio.run(office.store.lease_deliveries(("pager", "on-call", "chat"), 1, office.clock.now, LEASE_S))
    assert office.deliver(after_s=LEASE_S - 1) == 0
    assert office.deliver(after_s=1) == 1
    assert notifier.accepted == ["a1"]


def test_a_notifier_that_hangs_is_a_timeout(monkeypatch):
    """A notifier that never returns is broken off before its lease ends, and tried again."""
    monkeypatch.setattr("monitor.delivery.LEASE_S", 0.1)

    class Hanging(ScriptedNotifier):
        async def notify(self, alert: Alert) -> None:
            await asyncio.sleep(60)

    office = Office({"on-call": Hanging()})
    office.queue(alert("a1"))
    office.deliver()
    assert office.courier.failed == {("on-call", Reason.TIMEOUT): 1}
    assert office.states == counted(pending=1)


def test_a_notifier_with_a_bug_does_not_stop_the_others():
    """An error that no notifier should raise is counted, and the rest of the outbox goes out."""
    office = Office({"faulty": ScriptedNotifier(ZeroDivisionError("bug")), "on-call": (good := ScriptedNotifier())})
    office.queue(alert("a1"), notifiers=("faulty", "on-call"))
    office.deliver()
    assert good.accepted == ["a1"]
    assert office.courier.failed == {("faulty", Reason.BROKEN): 1}


def test_the_loop_outlives_a_store_that_is_away(monkeypatch):
    """When the store is back, delivery goes on where it was."""
    monkeypatch.setattr("monitor.delivery.IDLE_S", 0.001)

    class Flaky(MemoryStore):
        refusals = 3

        async def lease_deliveries(
            self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float
        ) -> list[Delivery]:
            if Flaky.refusals:
                Flaky.refusals -= 1
                raise StoreError("no connection")
            return await super().lease_deliveries(notifiers, limit, now, lease_s)

    notifier = ScriptedNotifier()
    office = Office({"on-call": notifier}, Flaky())
    office.queue(alert("a1"))

    async def run() -> None:
        loop = asyncio.create_task(office.courier.deliver_forever())
        async with asyncio.timeout(10):
            while not notifier.accepted:  # noqa: ASYNC110 - the courier has no event to wait for
                await asyncio.sleep(0.005)
        loop.cancel()

    asyncio.run(run())
    assert notifier.accepted == ["a1"]

"""Every queued alert reaches its notifier at least once, in order, or becomes a dead letter."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.alerting import attention
from monitor.alerting.attention import send_reminders
from monitor.alerting.outbox import (
    GIVE_UP_AFTER_S,
    LEASE_S,
    MAX_WAIT_S,
    PERMANENT_WAIT_S,
    REPORTED_ATTEMPTS,
    OutboxWorker,
)
from monitor.errors import NotifierError, Reason, StoreError
from monitor.incidents.acknowledgement import is_valid
from monitor.incidents.routing import Links, OnCall, Route
from monitor.model.alerts import Alert, AlertState, Delivery
from monitor.model.incidents import Incident, IncidentKind, IncidentStatus
from monitor.ports.targets import Notifier
from tests.waiting import PATIENCE_S

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEMPORARY = tuple(reason for reason in Reason if reason.is_worth_retrying)
PERMANENT = tuple(reason for reason in Reason if not reason.is_worth_retrying)


class Clock:
    """A clock that advances only on request."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """The current time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class ScriptedNotifier:
    """Fails with each error once, in order, then accepts."""

    def __init__(self, *errors: Exception) -> None:
        self.tried: list[str] = []
        self.accepted: list[str] = []
        self._errors = list(errors)

    async def notify(self, alert: Alert) -> None:
        """Accept the alert, or raise the next error."""
        self.tried.append(alert.alert_id)
        if self._errors:
            raise self._errors.pop(0)
        self.accepted.append(alert.alert_id)

    async def close(self) -> None:
        """Nothing to close."""


def alert(alert_id: str, target: str = "production", state: AlertState = AlertState.FIRING) -> Alert:
    """An alert about a target."""
    return Alert(
        alert_id=alert_id,
        incident_id=f"incident-{target}",
        dedup_key=f"recallwatch/{target}",
        state=state,
        payload={"type": "incident"},
        created_at=NOON,
    )


class Office:
    """An outbox worker with its store and clock, for synchronous tests."""

    def __init__(self, notifiers: Mapping[str, Notifier], store: MemoryStore | None = None) -> None:
        self.clock = Clock()
        self.store = store or MemoryStore()
        self.worker = OutboxWorker(self.store, notifiers, self.clock, random.Random(7))  # noqa: S311 - jitter, not a secret

    def queue(self, *alerts: Alert, notifiers: Sequence[str] = ("on-call",)) -> None:
        """Queue alerts; alerts that do not fire go to the notifiers of the firing one."""
        for queued in alerts:
            self.store.enqueue(replace(queued, notifiers=tuple(notifiers)))

    def deliver(self, after_s: float = 0.0) -> int:
        """Let time pass, then deliver due alerts."""
        self.clock.advance(after_s)
        return asyncio.run(self.worker.deliver_due())

    @property
    def states(self) -> dict[str, int]:
        """Number of deliveries by state."""
        return dict(asyncio.run(self.store.count_deliveries()))


def counted(pending: int = 0, delivered: int = 0, dead: int = 0) -> dict[str, int]:
    """The expected counts."""
    return {"pending": pending, "delivered": delivered, "dead": dead, "silenced": 0}


def test_an_alert_that_is_accepted_is_delivered_once():
    """An accepted alert is not sent again."""
    notifier = ScriptedNotifier()
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    assert [office.deliver(), office.deliver(), office.deliver(after_s=2 * LEASE_S)] == [1, 0, 0]
    assert notifier.accepted == ["a1"]
    assert office.states == counted(delivered=1)
    assert office.worker.delivered == {("on-call", AlertState.FIRING): 1}


def test_queueing_an_alert_twice_delivers_it_once():
    """An alert that is queued again after a crash is the same alert."""
    notifier = ScriptedNotifier()
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    office.queue(alert("a1"))
    office.deliver()
    office.deliver(after_s=2 * LEASE_S)
    assert notifier.accepted == ["a1"]


def test_every_notifier_gets_the_alert():
    """A notifier that rejects an alert does not affect the others."""
    refusing, accepting = ScriptedNotifier(NotifierError(Reason.REJECTED, "HTTP 404")), ScriptedNotifier()
    office = Office({"mail": refusing, "on-call": accepting})
    office.queue(alert("a1"), notifiers=("mail", "on-call"))
    office.deliver()
    assert accepting.accepted == ["a1"]
    assert office.states == counted(delivered=1, pending=1)


@pytest.mark.parametrize("reason", TEMPORARY)
def test_a_temporary_failure_is_retried_later(reason):
    """An alert for an unavailable notifier is kept and retried after its delay."""
    notifier = ScriptedNotifier(NotifierError(reason, "down"))
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    assert office.deliver() == 1
    assert office.deliver() == 0
    assert office.states == counted(pending=1)
    assert office.deliver(after_s=1.0) == 1
    assert notifier.accepted == ["a1"]
    assert office.worker.failed == {("on-call", reason): 1}


def test_the_wait_doubles_with_jitter_up_to_a_limit():
    """Attempt n is followed by half to all of 2ⁿ⁻¹ seconds, and never by more than ten minutes."""
    notifier = ScriptedNotifier(*[NotifierError(Reason.BROKEN, "HTTP 500")] * 19)
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    waits = []
    for _ in range(19):
        assert office.deliver() == 1
        waits.append((office.store.queue[1].next_attempt_at - office.clock.now).total_seconds())
        office.clock.advance(waits[-1])
    for attempt, wait in enumerate(waits, 1):
        longest = min(2.0 ** (attempt - 1), MAX_WAIT_S)
        assert longest / 2 - 1e-6 <= wait <= longest + 1e-6
    assert office.deliver() == 1
    assert notifier.accepted == ["a1"]


def test_retry_after_is_respected_with_jitter():
    """Retry-After replaces the worker's own delay; a fleet that was refused at once does not come back at once."""
    notifier = ScriptedNotifier(NotifierError(Reason.RATE_LIMITED, "HTTP 429", retry_after_s=90.0))
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    office.deliver()
    assert office.deliver(after_s=90.0) == 0
    assert office.deliver(after_s=9.0) == 1
    assert notifier.accepted == ["a1"]


@pytest.mark.parametrize("wish_s", [1e9, 1e30, float("inf")])
def test_a_very_long_retry_after_is_shortened(wish_s):
    """A Retry-After of years is limited to ten minutes."""
    notifier = ScriptedNotifier(NotifierError(Reason.RATE_LIMITED, "HTTP 429", retry_after_s=wish_s))
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    office.deliver()
    assert office.deliver(after_s=MAX_WAIT_S) == 1
    assert notifier.accepted == ["a1"]


@pytest.mark.parametrize("reason", PERMANENT)
def test_a_refusal_is_retried_too(reason):
    """A secret that is wrong for a minute does not lose the page: the alert is sent again, after a longer wait."""
    notifier = ScriptedNotifier(NotifierError(reason, "refused"))
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    office.deliver()
    assert office.deliver(after_s=PERMANENT_WAIT_S / 2 - 1) == 0
    assert office.store.queue[1].last_result == f"{reason}: refused"
    assert office.deliver(after_s=PERMANENT_WAIT_S) == 1
    assert notifier.accepted == ["a1"]


def an_incident(status: IncidentStatus = IncidentStatus.OPEN, target: str = "production", **fields: Any) -> Incident:
    """The incident of an alert."""
    return Incident(
        incident_id=f"incident-{target}",
        dedup_key=f"recallwatch/{target}",
        target=target,
        subject=target,
        opened_at=NOON,
        fired_at=NOON,
        status=status,
        **fields,
    )


@pytest.mark.parametrize("reason", Reason)
def test_an_alert_is_retried_as_long_as_its_incident_lasts(reason):
    """A receiver that is down for three days still gets the page, whatever it answered meanwhile."""
    notifier = ScriptedNotifier(*[NotifierError(reason, "no")] * 400)
    office = Office({"on-call": notifier})
    asyncio.run(office.store.save_incident(an_incident(), ()))
    office.queue(alert("a1"))
    for _ in range(450):
        office.deliver(after_s=MAX_WAIT_S)
    assert office.clock.now - NOON > timedelta(days=3)
    assert notifier.accepted == ["a1"]
    assert office.states == counted(delivered=1)


def test_an_alert_of_a_closed_incident_is_dead_after_a_day():
    """Once the incident is over, undeliverable messages about it end."""
    notifier = ScriptedNotifier(*[NotifierError(Reason.UNREACHABLE, "refused")] * 10_000)
    office = Office({"on-call": notifier})
    asyncio.run(office.store.save_incident(an_incident(IncidentStatus.RESOLVED), ()))
    office.queue(alert("a1"))
    while office.clock.now - NOON < timedelta(seconds=GIVE_UP_AFTER_S - MAX_WAIT_S):
        office.deliver(after_s=MAX_WAIT_S)
    assert office.states == counted(pending=1)
    office.deliver(after_s=2 * MAX_WAIT_S)
    assert office.states == counted(dead=1)


def test_a_retry_on_request_sends_waiting_and_dead_alerts_now():
    """Retrying skips the wait, and revives a dead alert unless a later one of its incident was delivered."""
    notifier = ScriptedNotifier(*[NotifierError(Reason.REJECTED, "HTTP 404")] * 2)
    office = Office({"on-call": notifier})
    office.queue(alert("a1"), alert("b1", "staging"), alert("c1", "third"))
    office.queue(alert("b2", "staging"))
    office.store.queue[2].state = "dead"
    office.store.queue[3].state = "dead"
    office.store.queue[4].state = "delivered"
    office.deliver()
    assert office.deliver() == 0
    assert asyncio.run(office.store.retry_deliveries(("on-call",), office.clock.now)) == 2
    office.deliver()
    office.deliver(after_s=MAX_WAIT_S)
    assert sorted(notifier.accepted) == ["a1", "c1"]


def test_a_later_alert_carries_the_receipt_of_the_first():
    """A service that edits its first message gets the id that it returned for it, for this incident only."""

    class Editing(ScriptedNotifier):
        receipts: list[str]

        async def notify(self, alert: Alert) -> str:
            self.receipts = [*getattr(self, "receipts", []), alert.receipt]
            return f"ts-{alert.alert_id}"

    notifier = Editing()
    office = Office({"on-call": notifier})
    office.queue(alert("a1"), alert("a2", state=AlertState.RESOLVED), alert("b1", "staging"))
    office.deliver()
    office.deliver()
    assert notifier.receipts == ["", "", "ts-a1"]


def test_an_open_incident_is_recalled_until_a_person_acknowledges_it():
    """Reminders repeat the evidence of the page at the interval of the route, and end with the acknowledgement."""
    office = Office({"on-call": ScriptedNotifier()})
    routes = (Route(("on-call",), remind_every_s=3_600.0),)
    on_call = office.worker.on_call = OnCall(notifiers=("on-call",), routes=routes)
    asyncio.run(office.store.save_incident(an_incident(), ()))
    firing = replace(alert("a1"), payload={"data": {"headline": {"measure": "recall@10"}}})
    office.queue(firing)
    sent = []
    for minutes in (30, 31, 30, 29, 1, 61):
        office.clock.advance(60 * minutes)
        sent.append(asyncio.run(send_reminders(office.store, on_call, office.clock.now)))
    assert sent == [0, 1, 0, 0, 1, 1]
    reminder = office.store.queue[2].delivery.alert
    assert (reminder.state, reminder.payload["data"]["open_s"]) == (AlertState.REMINDER, 3_660.0)
    assert reminder.payload["data"]["headline"] == {"measure": "recall@10"}
    assert asyncio.run(attention.acknowledge("incident-production", office.store, on_call, by="ada", at=NOON))
    office.clock.advance(86_400)
    assert asyncio.run(send_reminders(office.store, on_call, office.clock.now)) == 0


def test_a_signed_link_is_added_on_delivery_and_never_stored():
    """The link that acknowledges is in the message and not in the database."""

    class Reading(ScriptedNotifier):
        seen: dict[str, Any]

        async def notify(self, alert: Alert) -> None:
            self.seen = alert.payload["data"].get("links", {})

    notifier = Reading()
    office = Office({"on-call": notifier})
    office.worker.on_call = OnCall(notifiers=("on-call",), links=Links("https://rw.example", signing_key="key"))
    office.queue(replace(alert("a1"), payload={"data": {"opened_at": NOON.isoformat(), "reopened": 0}}))
    office.deliver()
    url = notifier.seen["acknowledge"]
    assert url.startswith("https://rw.example/incidents/incident-production/acknowledge?token=")
    token = url.partition("token=")[2]
    incident = an_incident()
    assert is_valid(token, incident, "key")
    assert not is_valid(token, incident, "other")
    assert not is_valid(token, replace(incident, reopened=1), "key")
    assert "links" not in office.store.queue[1].delivery.alert.payload["data"]


def test_resolved_never_overtakes_firing():
    """Later messages of an incident wait until the first one is delivered."""
    notifier = ScriptedNotifier(NotifierError(Reason.BROKEN, "HTTP 500"))
    office = Office({"on-call": notifier})
    office.queue(alert("firing"), alert("resolved", state=AlertState.RESOLVED))
    assert office.deliver() == 1
    assert office.deliver() == 0
    office.deliver(after_s=5.0)
    office.deliver()
    assert notifier.accepted == ["firing", "resolved"]


def test_incidents_of_other_targets_do_not_wait():
    """A waiting message delays only its own incident."""
    notifier = ScriptedNotifier(NotifierError(Reason.BROKEN, "HTTP 500"))
    office = Office({"on-call": notifier})
    office.queue(alert("a1", "production"), alert("b1", "staging"))
    office.deliver()
    assert notifier.accepted == ["b1"]


def test_a_removed_notifier_keeps_its_alert():
    """An alert for a notifier that was removed from the configuration is sent once the notifier is back."""
    office = Office({})
    office.queue(alert("a1"))
    office.deliver()
    assert office.states == counted(pending=1)
    notifier = ScriptedNotifier()
    back = Office({"on-call": notifier}, office.store)
    back.deliver(after_s=LEASE_S)
    assert notifier.accepted == ["a1"]
    assert back.states == counted(delivered=1)


def test_waiting_for_a_removed_notifier_uses_no_attempts():
    """An alert that was never sent is retried after its first failure."""
    office = Office({})
    office.queue(alert("a1"))
    for _ in range(40):
        office.deliver(after_s=LEASE_S)
    notifier = ScriptedNotifier(NotifierError(Reason.BROKEN, "HTTP 500"))
    back = Office({"on-call": notifier}, office.store)
    back.clock.now = office.clock.now
    back.deliver(after_s=LEASE_S)
    assert back.states == counted(pending=1)


def test_an_alert_of_a_dead_worker_is_sent_again():
    """A worker that dies holds an alert only until the end of its lease."""
    notifier = ScriptedNotifier()
    office = Office({"on-call": notifier})
    office.queue(alert("a1"))
    asyncio.run(office.store.lease_deliveries(("pager", "on-call", "chat"), 1, office.clock.now, LEASE_S))
    assert office.deliver(after_s=LEASE_S - 1) == 0
    assert office.deliver(after_s=1) == 1
    assert notifier.accepted == ["a1"]


def test_a_notifier_that_hangs_is_a_timeout(monkeypatch):
    """A notifier that never returns is cancelled before its lease ends, and retried."""
    monkeypatch.setattr("monitor.alerting.outbox.LEASE_S", 0.1)

    class Hanging(ScriptedNotifier):
        async def notify(self, alert: Alert) -> None:
            await asyncio.sleep(60)

    office = Office({"on-call": Hanging()})
    office.queue(alert("a1"))
    office.deliver()
    assert office.worker.failed == {("on-call", Reason.TIMEOUT): 1}
    assert office.states == counted(pending=1)


def test_a_notifier_with_a_bug_does_not_stop_the_others():
    """An unexpected error is counted, and the other alerts are delivered."""
    office = Office({"faulty": ScriptedNotifier(ZeroDivisionError("bug")), "on-call": (good := ScriptedNotifier())})
    office.queue(alert("a1"), notifiers=("faulty", "on-call"))
    office.deliver()
    assert good.accepted == ["a1"]
    assert office.worker.failed == {("faulty", Reason.BROKEN): 1}


def test_the_loop_survives_an_unreachable_store(monkeypatch):
    """Delivery continues once the store is back."""
    monkeypatch.setattr("monitor.alerting.outbox.IDLE_S", 0.001)

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
        loop = asyncio.gather(*(run() for run in office.worker.loops().values()))
        async with asyncio.timeout(PATIENCE_S):
            while not notifier.accepted:  # noqa: ASYNC110 - the worker has no event to wait for
                await asyncio.sleep(0.005)
        loop.cancel()

    asyncio.run(run())
    assert notifier.accepted == ["a1"]


def test_a_wake_up_sends_a_queued_alert_at_once(monkeypatch):
    """After a wake-up, an alert does not wait for the next poll of the outbox."""
    monkeypatch.setattr("monitor.alerting.outbox.IDLE_S", 3_600.0)

    class Ringing(ScriptedNotifier):
        rang: asyncio.Event

        async def notify(self, alert: Alert) -> None:
            await super().notify(alert)
            self.rang.set()

    notifier = Ringing()
    office = Office({"on-call": notifier})

    async def run() -> None:
        notifier.rang = asyncio.Event()
        loop = asyncio.gather(*(run() for run in office.worker.loops().values()))
        await asyncio.sleep(0.01)  # until the worker has found the outbox empty
        office.store.enqueue(replace(alert("a1"), notifiers=("on-call",)))
        office.worker.wake()
        async with asyncio.timeout(PATIENCE_S):
            await notifier.rang.wait()
        loop.cancel()

    asyncio.run(run())
    assert notifier.accepted == ["a1"]


def test_a_notifier_that_hangs_delays_no_other(monkeypatch):
    """Each notifier has its own loop, so the others' alerts are delivered while one hangs."""
    monkeypatch.setattr("monitor.alerting.outbox.IDLE_S", 0.001)
    arrived = asyncio.Event()

    class Hanging(ScriptedNotifier):
        async def notify(self, alert: Alert) -> None:
            await asyncio.sleep(60)

    class Ringing(ScriptedNotifier):
        async def notify(self, alert: Alert) -> None:
            await super().notify(alert)
            if len(self.accepted) == 2:
                arrived.set()

    office = Office({"slow": Hanging(), "on-call": (healthy := Ringing())})
    office.queue(alert("a1"), notifiers=("slow", "on-call"))

    async def run() -> None:
        loop = asyncio.gather(*(run() for run in office.worker.loops().values()))
        await asyncio.sleep(0.05)
        office.queue(alert("b1", "staging"), notifiers=("slow", "on-call"))
        async with asyncio.timeout(PATIENCE_S):
            await arrived.wait()
        loop.cancel()

    asyncio.run(run())
    assert healthy.accepted == ["a1", "b1"]


def of_kind(office: Office, kind: IncidentKind) -> list[Incident]:
    """The incidents of one kind."""
    return [each for each in office.store.incidents.values() if each.kind is kind]


def test_a_dead_letter_sends_one_alert_to_the_other_notifiers():
    """Several rejected alerts of one notifier cause a single alert to the others, with the next command."""
    refusing, chat = ScriptedNotifier(*[NotifierError(Reason.REJECTED, "HTTP 404")] * 3), ScriptedNotifier()
    office = Office({"pager": refusing, "chat": chat})
    office.worker.on_call = OnCall(notifiers=("pager", "chat"))
    office.queue(*(alert(f"a{n}", f"target-{n}") for n in range(3)), notifiers=("pager",))
    office.deliver()
    office.deliver()
    (incident,) = of_kind(office, IncidentKind.DEAD_LETTER)
    assert incident.subject == "pager"
    assert incident.is_open
    assert len(chat.accepted) == 1
    message = office.store.queue[4].delivery.alert.payload["data"]
    assert message["next_command"] == "recallwatch notify test pager"
    assert "HTTP 404" in message["summary"]
    assert office.worker.dead == {("pager", Reason.REJECTED): 1}


def test_a_notifier_that_stays_unreachable_is_reported():
    """The others learn of it after some minutes, not after one lost connection."""
    failing, chat = ScriptedNotifier(*[NotifierError(Reason.UNREACHABLE, "refused")] * 100), ScriptedNotifier()
    office = Office({"pager": failing, "chat": chat})
    office.worker.on_call = OnCall(notifiers=("pager", "chat"))
    office.queue(alert("a1"), notifiers=("pager",))
    for _ in range(REPORTED_ATTEMPTS[True][0] - 1):
        office.deliver(after_s=MAX_WAIT_S)
    assert of_kind(office, IncidentKind.DEAD_LETTER) == []
    office.deliver(after_s=MAX_WAIT_S)
    assert len(of_kind(office, IncidentKind.DEAD_LETTER)) == 1


def test_a_working_notifier_resolves_its_dead_letter_incident():
    """A later worker resolves the incident when the notifier accepts alerts again."""
    office = Office({"pager": ScriptedNotifier(NotifierError(Reason.REJECTED, "HTTP 404")), "chat": ScriptedNotifier()})
    office.worker.on_call = OnCall(notifiers=("pager", "chat"))
    office.queue(alert("a1"), notifiers=("pager",))
    office.deliver()
    chat = ScriptedNotifier()
    later = Office({"pager": ScriptedNotifier(), "chat": chat}, office.store)
    later.worker.on_call = OnCall(notifiers=("pager", "chat"))
    later.queue(alert("a2"), notifiers=("pager",))
    later.deliver(after_s=PERMANENT_WAIT_S)
    later.deliver()
    later.deliver()
    (incident,) = of_kind(later, IncidentKind.DEAD_LETTER)
    assert incident.status is IncidentStatus.RESOLVED
    states = [later.store.queue[n].delivery.alert.state for n in sorted(later.store.queue)]
    assert states == [AlertState.FIRING, AlertState.FIRING, AlertState.FIRING, AlertState.RESOLVED]
    assert len(chat.accepted) == 2


def test_dead_letters_about_dead_letters_end():
    """If every notifier rejects everything, each gets one incident and no alert loops."""
    refusals = [NotifierError(Reason.REJECTED, "HTTP 404")] * 100
    office = Office({"pager": ScriptedNotifier(*refusals), "chat": ScriptedNotifier(*refusals)})
    office.worker.on_call = OnCall(notifiers=("pager", "chat"))
    office.queue(alert("a1"), notifiers=("pager",))
    for _ in range(20):
        office.deliver()
    assert {each.subject for each in of_kind(office, IncidentKind.DEAD_LETTER)} == {"pager", "chat"}
    assert office.states["pending"] == len(office.store.queue) == 3

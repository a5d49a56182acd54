"""What on-call needs of a store: earlier incidents, messages, receipts, retries and silences."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import time, timedelta

import pytest

from monitor.errors import Reason
from monitor.model.alerts import AlertState
from monitor.model.incidents import IncidentKind, IncidentStatus
from monitor.model.silences import Silence
from monitor.ports.store import Store
from monitor.testing.runs import NOW
from tests.contract.test_stores import a_decision, an_alert, an_incident, revised
from tests.contract.test_stores import check as check

Check = Callable[[Store], Awaitable[None]]

BOTH = ("chat", "pager")

pytestmark = pytest.mark.slow


def test_the_incidents_of_a_subject_are_listed_with_the_active_one_first(check: Callable[[Check], None]) -> None:
    """A verdict meets the earlier incidents of its target, with what fell and how far."""

    async def body(store: Store) -> None:
        first = an_incident(bounds={"s/overall/recall@10": -0.04}, fallen=(("s", "overall", "recall@10"),))
        over = revised(first, status=IncidentStatus.RESOLVED, resolved_at=NOW)
        second = an_incident(incident_id="i2", opened_at=NOW - timedelta(hours=1), reminded_at=NOW)
        other = an_incident(incident_id="i3", subject="elsewhere", target="elsewhere")
        for incident in (first, over, second, other):
            assert await store.save_incident(incident, ())
        assert await store.incidents_of(IncidentKind.REGRESSION, "target") == [second, over]
        assert await store.incidents_of(IncidentKind.REGRESSION, "target", 1) == [second]

    check(body)


def test_an_incident_is_found_by_the_beginning_of_its_id(check: Callable[[Check], None]) -> None:
    """With or without the word before it, as messages show it."""

    async def body(store: Store) -> None:
        assert await store.save_incident(an_incident(incident_id="incident_3f2a"), ())
        for prefix in ("3f", "incident_3f2a", "inc"):
            assert await store.find_incident_ids(prefix) == ["incident_3f2a"]
        assert await store.find_incident_ids("%") == []

    check(body)


def test_the_messages_of_an_incident_are_listed_in_order(check: Callable[[Check], None]) -> None:
    """A later message repeats the evidence of the first."""

    async def body(store: Store) -> None:
        incident = an_incident()
        firing = an_alert(incident, notifiers=("chat",))
        assert await store.save_incident(incident, [firing])
        over = revised(incident, status=IncidentStatus.RESOLVED, resolved_at=NOW)
        assert await store.save_incident(over, [an_alert(over, AlertState.RESOLVED)])
        alerts = await store.alerts_of(incident.incident_id)
        assert alerts[0] == firing
        assert [each.state for each in alerts] == [AlertState.FIRING, AlertState.RESOLVED]

    check(body)


def test_a_receipt_comes_back_with_the_next_message_of_the_notifier(check: Callable[[Check], None]) -> None:
    """Each notifier gets its own receipt, for this incident only."""

    async def body(store: Store) -> None:
        incident = an_incident()
        assert await store.save_incident(incident, [an_alert(incident, notifiers=BOTH)])
        leased = await store.lease_deliveries(BOTH, 10, NOW, 60)
        assert {each.alert.receipt for each in leased} == {""}
        by_notifier = {each.notifier: each.delivery_id for each in leased}
        await store.mark_delivered({by_notifier["chat"]: "ts-1", by_notifier["pager"]: None}, NOW)
        over = revised(incident, status=IncidentStatus.RESOLVED, resolved_at=NOW)
        assert await store.save_incident(over, [an_alert(over, AlertState.RESOLVED)])
        later = await store.lease_deliveries(BOTH, 10, NOW, 60)
        assert {each.notifier: each.alert.receipt for each in later} == {"chat": "ts-1", "pager": ""}

    check(body)


def test_a_silence_of_a_person_is_stored_until_it_is_ended(check: Callable[[Check], None]) -> None:
    """It has its author, reason, zone and weekdays; an ended one is kept on record."""

    async def body(store: Store) -> None:
        silence = Silence(
            silence_id="silence_1",
            author="ada",
            reason="re-indexing",
            match={"target": ("docs",), "severity": ("warning",)},
            daily=(time(22), time(6, 30)),
            zone="Europe/Berlin",
            weekdays=("sat", "sun"),
            ends_at=NOW + timedelta(days=3),
            created_at=NOW,
        )
        await store.save_silence(silence)
        assert await store.silences() == [silence]
        ended = replace(silence, ended_by="bob", ended_at=NOW)
        await store.save_silence(ended)
        assert await store.silences() == []
        assert await store.silences(ended=True) == [ended]

    check(body)


def test_a_stored_swap_is_announced_by_each_notifier_until_it_succeeds(check: Callable[[Check], None]) -> None:
    """A leased swap is not given out twice; a failed one is due again later; a shown one never again."""

    async def body(store: Store) -> None:
        await a_decision(store)
        yesterday, later = NOW - timedelta(days=1), NOW + timedelta(minutes=5)
        pager, chat = sorted(
            await store.lease_announcements(["pager", "chat"], 9, NOW, 60.0, yesterday),
            key=lambda each: each.notifier,
            reverse=True,
        )
        assert (pager.notifier, pager.swap.run_id, pager.attempts) == ("pager", "after", 1)
        assert await store.lease_announcements(["pager", "chat"], 9, NOW, 60.0, yesterday) == []
        await store.mark_announced(chat, NOW)
        await store.requeue_announcement(pager, Reason.BROKEN, next_attempt_at=later)
        assert await store.lease_announcements(["pager", "chat"], 9, NOW, 60.0, yesterday) == []
        assert await store.lease_announcements(["pager"], 9, later, 60.0, NOW + timedelta(seconds=1)) == []
        (again,) = await store.lease_announcements(["pager", "chat"], 9, later, 60.0, yesterday)
        assert again == replace(pager, attempts=2)
        (after_a_crash,) = await store.lease_announcements(["pager"], 9, later + timedelta(hours=1), 60.0, yesterday)
        assert after_a_crash.attempts == 3

    check(body)

"""A schedule that brings no data is told to on-call once, whatever the reason, and over with the next run."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.alerting.no_data import GRACE_S, Watchdog, WatchedSchedule
from monitor.config.config import Schedule
from monitor.errors import StoreError
from monitor.incidents.routing import OnCall
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Incident, IncidentKind, IncidentStatus
from monitor.model.policies import Policy
from monitor.model.suites import Axis, Query, Suite
from monitor.plan import Plan
from monitor.service.triggers import no_data_after_s

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SUITE = Suite(
    name="legal",
    version="1",
    axis=Axis.BROAD,
    queries=(Query(query_id="q1", text="?", stratum="s", cluster="c", grades={"d0": 1}),),
    digest="digest",
)
LIMIT_S = 600.0


class Post:
    """A watchdog over two schedules, with a clock of its own."""

    def __init__(self, store: MemoryStore | None = None, names: tuple[str, ...] = ("hourly", "nightly")) -> None:
        self.store = store or MemoryStore()
        self.passed_s = 0.0
        self.woken = 0
        watched = {name: WatchedSchedule(Plan("docs", (SUITE,), Policy()), LIMIT_S) for name in names}
        self.watchdog = Watchdog(
            watched,
            self.store,
            OnCall(notifiers=("pager",)),
            lambda: NOON + timedelta(seconds=self.passed_s),
            self._wake,
            lambda: self.passed_s,
        )

    def _wake(self) -> None:
        self.woken += 1

    def look(self, after_s: float = 0.0) -> None:
        """Let time pass, then look around."""
        self.passed_s += after_s
        asyncio.run(self.watchdog.check_schedules())

    def hear(self, name: str) -> None:
        """A cycle brought data."""
        asyncio.run(self.watchdog.record_success(name))

    @property
    def told(self) -> list[Alert]:
        """Every alert in the outbox."""
        return [item.delivery.alert for item in self.store.queue.values()]


def test_a_schedule_that_is_silent_for_too_long_is_told_once():
    """Not before its time, not again while it lasts, and the courier is woken."""
    post = Post(names=("hourly",))
    post.look(LIMIT_S)
    assert post.told == []
    for _ in range(5):
        post.look(60)
    (firing,) = post.told
    data = firing.payload["data"]
    assert (data["kind"], data["target"], data["severity"], data["suites"], data["axes"]) == (
        "no_data",
        "docs",
        "warning",
        ["legal"],
        ["broad"],
    )
    assert post.woken == 1
    assert post.watchdog.overdue == {"hourly"}


def test_data_ends_it_and_the_message_says_how_long_it_lasted():
    """The next finished run resolves the incident under the same key."""
    post = Post(names=("hourly",))
    post.look(LIMIT_S + 1)
    post.passed_s += 90
    post.hear("hourly")
    firing, resolved = post.told
    assert (firing.state, resolved.state) == (AlertState.FIRING, AlertState.RESOLVED)
    assert firing.dedup_key == resolved.dedup_key
    assert resolved.payload["data"]["duration_s"] == 90.0
    post.look(LIMIT_S)
    assert len(post.told) == 2
    post.look(1)
    assert len(post.told) == 3


def test_schedules_of_one_target_are_told_apart():
    """A nightly run that is missing is not hidden by an hourly one that works."""
    post = Post()
    post.passed_s += LIMIT_S
    post.hear("hourly")
    post.look(1)
    assert [alert.payload["data"]["dedup_key"] for alert in post.told] == ["recallwatch/no_data/nightly"]


def test_the_reason_of_the_last_failure_is_told():
    """On-call reads what went wrong, and when it last went right."""
    post = Post(names=("hourly",))
    post.hear("hourly")
    post.watchdog.record_failure("hourly", "the database is out of reach.")
    post.look(LIMIT_S + 1)
    summary = post.told[0].payload["data"]["summary"]
    assert "The last cycle failed: the database is out of reach." in summary
    assert "finished at 2026-03-02 12:00 UTC" in summary


def test_a_clock_that_is_set_does_not_raise_the_alarm():
    """Silence is measured by a clock that nobody can set."""
    post = Post(names=("hourly",))
    post.watchdog.now = lambda: NOON + timedelta(days=1)
    post.look(1)
    assert post.told == []


def test_what_an_earlier_process_told_is_ended_by_this_one():
    """After a restart the first run resolves the incident that the process before had opened."""
    before = Post(names=("hourly",))
    before.look(LIMIT_S + 1)
    after = Post(before.store, names=("hourly",))
    after.hear("hourly")
    assert [alert.state for alert in after.told] == [AlertState.FIRING, AlertState.RESOLVED]


def test_a_schedule_that_is_configured_no_more_is_not_missed_for_ever():
    """What was told of it is over when a configuration without it starts."""
    before = Post()
    before.look(LIMIT_S + 1)
    after = Post(before.store, names=("hourly",))
    asyncio.run(after.watchdog.close_removed_schedules())
    statuses = {each.subject: each.status for each in after.store.incidents.values()}
    assert statuses == {"hourly": IncidentStatus.OPEN, "nightly": IncidentStatus.RESOLVED}


def test_a_store_that_is_away_is_tried_again():
    """While nothing can be kept nothing is told; once the store is back and the schedule still silent, it is."""

    class Away(MemoryStore):
        is_away = True

        async def find_incident(self, kind: IncidentKind, subject: str, dedup_key: str = "") -> Incident | None:
            if Away.is_away:
                raise StoreError("no connection")
            return await super().find_incident(kind, subject, dedup_key)

    post = Post(Away(), names=("hourly",))
    post.look(LIMIT_S + 1)
    assert post.told == []
    Away.is_away = False
    post.look(1)
    assert len(post.told) == 1


@pytest.mark.parametrize(
    ("stated", "allowed_s"),
    [
        ({"every": 3_600.0}, 2 * 3_600 + GRACE_S),
        ({"cron": "0 3 * * *"}, 2 * 86_400 + GRACE_S),
        ({"cron": "0 3 * * 1-5"}, 2 * 3 * 86_400 + GRACE_S),
        ({"every": 3_600.0, "no_data_after": 5_400.0}, 5_400.0),
    ],
)
def test_two_intervals_and_a_grace_are_allowed_unless_configured(stated, allowed_s):
    """Over a weekend, a schedule of weekdays is not missed."""
    schedule = Schedule(target="docs", suites=("legal",), **stated)
    assert no_data_after_s(schedule, NOON, where="schedules.s") == allowed_s

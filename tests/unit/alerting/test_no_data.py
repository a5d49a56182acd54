"""A schedule without data opens one incident, whatever the reason; the next successful run resolves it."""

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
    """A watchdog over two schedules, with its own clock."""

    def __init__(self, store: MemoryStore | None = None, names: tuple[str, ...] = ("hourly", "nightly")) -> None:
        self.store = store or MemoryStore()
        self.passed_s = 0.0
        self.woken = 0
        watched = {
            name: WatchedSchedule(Plan(target="docs", suites=(SUITE,), policy=Policy()), LIMIT_S) for name in names
        }
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
        """Let time pass, then check the schedules."""
        self.passed_s += after_s
        asyncio.run(self.watchdog.check_schedules())

    def hear(self, name: str) -> None:
        """Record that a cycle produced data."""
        asyncio.run(self.watchdog.record_success(name))

    @property
    def alerts(self) -> list[Alert]:
        """Every alert in the outbox."""
        return [item.delivery.alert for item in self.store.queue.values()]


def test_an_overdue_schedule_sends_one_alert():
    """The alert is sent once, after the limit, and wakes the outbox worker."""
    post = Post(names=("hourly",))
    post.look(LIMIT_S)
    assert post.alerts == []
    for _ in range(5):
        post.look(60)
    (firing,) = post.alerts
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


def test_new_data_resolves_the_incident_and_the_alert_has_the_duration():
    """The next successful run resolves the incident with the same key."""
    post = Post(names=("hourly",))
    post.look(LIMIT_S + 1)
    post.passed_s += 90
    post.hear("hourly")
    firing, resolved = post.alerts
    assert (firing.state, resolved.state) == (AlertState.FIRING, AlertState.RESOLVED)
    assert firing.dedup_key == resolved.dedup_key
    assert resolved.payload["data"]["duration_s"] == 90.0
    post.look(LIMIT_S)
    assert len(post.alerts) == 2
    post.look(1)
    assert len(post.alerts) == 3


def test_schedules_of_one_target_have_separate_incidents():
    """A successful hourly run does not hide a missing nightly run."""
    post = Post()
    post.passed_s += LIMIT_S
    post.hear("hourly")
    post.look(1)
    assert [alert.payload["data"]["dedup_key"] for alert in post.alerts] == ["recallwatch/no_data/nightly"]


def test_the_alert_has_the_reason_of_the_latest_failure():
    """The alert names the latest failure and the time of the latest successful run."""
    post = Post(names=("hourly",))
    post.hear("hourly")
    post.watchdog.record_failure("hourly", "the database is out of reach.")
    post.look(LIMIT_S + 1)
    summary = post.alerts[0].payload["data"]["summary"]
    assert "The last cycle failed: the database is out of reach." in summary
    assert "finished at 2026-03-02 12:00 UTC" in summary


def test_a_clock_change_raises_no_alert():
    """The time without data is measured with a monotonic clock."""
    post = Post(names=("hourly",))
    post.watchdog.now = lambda: NOON + timedelta(days=1)
    post.look(1)
    assert post.alerts == []


def test_a_restarted_process_resolves_the_incident():
    """After a restart, the first run resolves the incident of the previous process."""
    before = Post(names=("hourly",))
    before.look(LIMIT_S + 1)
    after = Post(before.store, names=("hourly",))
    after.hear("hourly")
    assert [alert.state for alert in after.alerts] == [AlertState.FIRING, AlertState.RESOLVED]


def test_the_incident_of_a_removed_schedule_is_closed():
    """A start without a schedule that the installation had closes its incident."""
    before = Post()
    before.look(LIMIT_S + 1)
    after = Post(before.store, names=("hourly",))
    asyncio.run(after.watchdog.close_removed_schedules(["nightly"]))
    statuses = {each.subject: each.status for each in after.store.incidents.values()}
    assert statuses == {"hourly": IncidentStatus.OPEN, "nightly": IncidentStatus.RESOLVED}


def test_data_of_another_process_counts_too():
    """A schedule that another process runs is not overdue, and its data ends an incident here as well."""
    post = Post(names=("hourly",))
    post.passed_s += LIMIT_S + 1
    asyncio.run(post.watchdog.record_data_elsewhere("hourly", 30.0))
    post.look()
    assert post.alerts == []
    post.look(LIMIT_S)
    assert post.watchdog.overdue == {"hourly"}
    asyncio.run(post.watchdog.record_data_elsewhere("hourly", 2 * LIMIT_S))
    assert post.watchdog.overdue == {"hourly"}
    asyncio.run(post.watchdog.record_data_elsewhere("hourly", 5.0))
    assert post.watchdog.overdue == set()
    assert [alert.state for alert in post.alerts] == [AlertState.FIRING, AlertState.RESOLVED]


def test_an_alert_is_retried_while_the_store_is_away():
    """Nothing is sent while the store is away; the alert follows once it is back."""

    class Away(MemoryStore):
        is_away = True

        async def find_incident(self, kind: IncidentKind, subject: str, dedup_key: str = "") -> Incident | None:
            if Away.is_away:
                raise StoreError("no connection")
            return await super().find_incident(kind, subject, dedup_key)

    post = Post(Away(), names=("hourly",))
    post.look(LIMIT_S + 1)
    assert post.alerts == []
    Away.is_away = False
    post.look(1)
    assert len(post.alerts) == 1


@pytest.mark.parametrize(
    ("options", "allowed_s"),
    [
        ({"every": 3_600.0}, 2 * 3_600 + GRACE_S),
        ({"cron": "0 3 * * *"}, 2 * 86_400 + GRACE_S),
        ({"cron": "0 3 * * 1-5"}, 2 * 3 * 86_400 + GRACE_S),
        ({"every": 3_600.0, "no_data_after": 5_400.0}, 5_400.0),
    ],
)
def test_two_intervals_and_a_grace_are_allowed_unless_configured(options, allowed_s):
    """A weekday schedule is not overdue over a weekend."""
    schedule = Schedule(target="docs", suites=("legal",), **options)
    assert no_data_after_s(schedule, NOON, where="schedules.s") == allowed_s

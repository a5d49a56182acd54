"""A schedule means what cron means, in UTC, and its first cycle runs at once."""

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.adapters.exporters.prometheus import Metrics
from monitor.adapters.stores.memory.store import MemoryStore
from monitor.alerting.no_data import Watchdog, WatchedSchedule
from monitor.config.config import Schedule
from monitor.errors import ConfigError, Reason, RetrieverError
from monitor.incidents.routing import OnCall
from monitor.model.alerts import AlertState
from monitor.model.deployments import Baseline
from monitor.model.policies import Policy
from monitor.model.runs import Ranking, Run, RunStatus
from monitor.model.suites import Axis, Query, Suite
from monitor.model.verdicts import VerdictName
from monitor.plan import Plan
from monitor.service.schedule import Scheduler
from monitor.service.triggers import SPREAD_S, latest_until, next_after, start_offset_s, trigger_of
from monitor.world import World
from tests.waiting import until

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def schedule(every: float | None = None, cron: str | None = None) -> Schedule:
    """A schedule with this rhythm."""
    return Schedule(target="production", suites=("broad",), every=every, cron=cron)


def firings(cron: str, *, n: int = 14, start: datetime = datetime(2026, 3, 1, tzinfo=UTC)) -> list[datetime]:
    """The next times that a cron expression fires."""
    trigger = trigger_of(schedule(cron=cron), where="schedules.s")
    found: list[datetime] = []
    previous, now = None, start
    while len(found) < n:
        previous = trigger.get_next_fire_time(previous, now)
        assert previous is not None
        found.append(previous)
        now = previous + timedelta(microseconds=1)
    return found


WEEKDAYS = {
    "*": "mon tue wed thu fri sat sun",
    "0": "sun",
    "7": "sun",
    "1": "mon",
    "6": "sat",
    "1-5": "mon tue wed thu fri",
    "0-6": "mon tue wed thu fri sat sun",
    "1-7": "mon tue wed thu fri sat sun",
    "0-7": "mon tue wed thu fri sat sun",
    "0-4": "mon tue wed thu sun",
    "5-7": "fri sat sun",
    "0,6": "sat sun",
    "1,3,5": "mon wed fri",
    "1-3,5": "mon tue wed fri",
    "*/2": "tue thu sat sun",
    "*/3": "wed sat sun",
    "1-5/2": "mon wed fri",
    "0-6/2": "tue thu sat sun",
    "mon-fri": "mon tue wed thu fri",
    "MON-FRI": "mon tue wed thu fri",
    "sun": "sun",
    "sun-thu": "mon tue wed thu sun",
    "sat,sun": "sat sun",
}


@pytest.mark.parametrize("field", WEEKDAYS)
def test_weekdays_are_those_of_cron(field):
    """0 and 7 are Sunday, ranges and steps count from Sunday, names are names."""
    found = {DAYS[at.weekday()] for at in firings(f"0 3 * * {field}")}
    assert found == set(WEEKDAYS[field].split())


@pytest.mark.parametrize("field", ["8", "1-8", "10", "-1", "1#2", "mon#2", "5L", "someday", "5-1-2", "*/0", ""])
def test_a_weekday_that_cron_does_not_know_is_refused(field):
    """Nothing is guessed: a field with another meaning elsewhere, or none, names the schedule and the key."""
    with pytest.raises(ConfigError, match=r"^schedules\.s\.cron: "):
        trigger_of(schedule(cron=f"0 3 * * {field}"), where="schedules.s")


@pytest.mark.parametrize("cron", ["@never", "* * *", "0 0 3 * * *", "", "61 3 * * *", "0 24 * * *", "0 3 32 * *"])
def test_a_cron_expression_that_never_fires_or_has_other_fields_is_refused(cron):
    """A wrong expression is a configuration error that names its key."""
    with pytest.raises(ConfigError, match=r"^schedules\.s\.cron: "):
        trigger_of(schedule(cron=cron), where="schedules.s")


def test_minutes_and_hours_are_those_of_cron():
    """Lists, ranges and steps of the other fields fire when cron would."""
    found = firings("*/20 8-9 * * *", n=6)
    assert [(at.hour, at.minute) for at in found] == [(8, 0), (8, 20), (8, 40), (9, 0), (9, 20), (9, 40)]


def test_days_of_the_month_and_months_are_those_of_cron():
    """The first of January and July, by number and by name."""
    for cron in ("0 0 1 1,7 *", "0 0 1 jan,jul *"):
        assert [(at.month, at.day) for at in firings(cron, n=2)] == [(7, 1), (1, 1)]


def test_either_day_is_enough_where_cron_says_so():
    """Both kinds of day restricted means either of them, each day once; a star in one of them leaves the other."""
    found = [at.day for at in firings("0 3 13,15 * 5", n=5)]
    assert found == [6, 13, 15, 20, 27]  # Fridays are the 6th, 13th, 20th and 27th of March
    assert [at.day for at in firings("0 3 13 * *", n=3)] == [13, 13, 13]
    assert [at.day for at in firings("0 3 */2 * 5", n=3)] == [13, 27, 3]  # odd days that are Fridays
    assert [at.day for at in firings("0 3 1-7 * */7", n=3)] == [1, 5, 3]  # first Sundays


def test_cron_is_in_utc_whatever_the_machine_says(monkeypatch):
    """03:00 is 03:00 UTC on a machine in New York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        (first,) = firings("0 3 * * *", n=1)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert first == datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert first.utcoffset() == timedelta(0)


def test_no_run_is_doubled_or_dropped_when_clocks_change(monkeypatch):
    """Hourly runs are an hour apart over the night in which Europe's clocks go back."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        found = firings("30 * * * *", n=6, start=datetime(2026, 10, 25, 1, tzinfo=ZoneInfo("Europe/Berlin")))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert {later - earlier for earlier, later in itertools.pairwise(found)} == {timedelta(hours=1)}


ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_its_five_fields(alias):
    """`@hourly` and its kin fire when the expression does that cron defines for them."""
    assert firings(alias, n=3) == firings(ALIASES[alias], n=3)


BERLIN = ZoneInfo("Europe/Berlin")
# Clocks went from 02:00 to 03:00 on the 29th of March, and from 03:00 to 02:00 on the 25th of October.
ODD_HOURS = {
    ("30 2 * * *", 3, 29): ["03:00", "02:30", "02:30"],
    ("0 3 * * *", 3, 29): ["03:00", "03:00", "03:00"],
    ("30 * * * *", 3, 29): ["00:30", "01:30", "03:30"],
    ("30 2 * * *", 10, 25): ["02:30", "02:30", "02:30"],
    ("30 1-3 * * *", 10, 25): ["01:30", "02:30", "03:30"],
    ("0 0 * * *", 10, 25): ["00:00", "00:00", "00:00"],
}


@pytest.mark.parametrize(("cron", "month", "day"), ODD_HOURS)
def test_cron_in_a_time_zone_over_the_two_odd_hours_of_a_year(cron, month, day):
    """A skipped time is due right after the gap, and a repeated one once; both ways of counting due times agree."""
    local = Schedule(target="production", suites=("broad",), cron=cron, timezone="Europe/Berlin")
    trigger = trigger_of(local, where="schedules.s")
    at, found = datetime(2026, month, day, tzinfo=BERLIN) - timedelta(seconds=1), []
    for _ in range(3):
        at = next_after(trigger, at)
        found.append(at)
    assert [each.astimezone(BERLIN).strftime("%H:%M") for each in found] == ODD_HOURS[cron, month, day]
    assert [latest_until(trigger, each) for each in found] == found
    assert [latest_until(trigger, each + timedelta(seconds=59)) for each in found] == found


def test_an_hourly_expression_counts_both_repeated_hours():
    """Where clocks go back, `30 * * * *` is due in both hours called two, an hour apart."""
    local = Schedule(target="production", suites=("broad",), cron="@hourly", timezone="Europe/Berlin")
    trigger = trigger_of(local, where="schedules.s")
    at = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    for hour in (23, 0, 1, 2):
        at = next_after(trigger, at)
        assert at.hour == hour


def test_a_time_zone_that_does_not_exist_is_refused():
    """A misspelt zone is a configuration error with an example."""
    with pytest.raises(ValueError, match="is no time zone; write a name such as Europe/Berlin"):
        Schedule(target="production", suites=("broad",), cron="0 3 * * *", timezone="Europe/Brelin")


@pytest.mark.parametrize("every", [0.5, 30.0, 3_600.0, 86_400.0])
def test_an_interval_is_as_long_as_stated(every):
    """`every` is the time between two cycles, fractions of a second included."""
    trigger = trigger_of(schedule(every=every), where="schedules.s")
    start = datetime(2026, 3, 1, tzinfo=UTC)
    first = trigger.get_next_fire_time(start, start)
    second = trigger.get_next_fire_time(first, first)
    assert second - first == timedelta(seconds=every)


def test_first_cycles_are_spread_within_an_interval():
    """Two hundred targets do not start in one instant; none waits for an interval, and one alone hardly waits."""
    for interval_s in (5.0, 3_600.0):
        found = sorted(start_offset_s(f"target-{number}", 200, interval_s) for number in range(200))
        assert 0 <= found[0] < found[-1] < min(interval_s, SPREAD_S)
        assert len(set(found)) == 200
        assert found[99] == pytest.approx(min(interval_s, SPREAD_S) / 2, rel=0.25)
    assert start_offset_s("hourly", 1, 3_600.0) < 0.2


class Echo:
    """A retriever that finds the right document, slowly where told, or breaks."""

    concurrency = 2

    def __init__(self, delay_s: float = 0.0, error: Exception | None = None) -> None:
        self.delay_s = delay_s
        self.error = error

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The judged document first."""
        await asyncio.sleep(self.delay_s)
        if self.error:
            raise self.error
        return Ranking(doc_ids=tuple(f"d{rank}" for rank in range(k)))

    async def close(self) -> None:
        """Nothing to give back."""


def scheduler(store: MemoryStore, **retrievers: Echo) -> Scheduler:
    """One hourly schedule for each retriever, named after its target."""
    suite = Suite(
        name="small",
        version="1",
        axis=Axis.BROAD,
        queries=(Query(query_id="q1", text="?", stratum="s", cluster="c", grades={"d0": 1}),),
        digest="digest",
    )
    return Scheduler(
        Metrics(),
        {
            name: (
                schedule(every=3_600.0),
                Plan(target=name, suites=(suite,), policy=Policy()),
                World(
                    store=store, retriever=retriever, on_call=OnCall(), now=lambda: datetime.now(UTC), owner="here/1"
                ),
            )
            for name, retriever in retrievers.items()
        },
    )


def test_the_first_cycles_run_at_once():
    """Nobody waits an hour for the first verdict: every schedule starts when the daemon does."""

    async def run() -> Scheduler:
        table = scheduler(MemoryStore(), production=Echo(), staging=Echo())
        table.start()
        await until(lambda: len(table.reports) == 2)
        await table.stop()
        return table

    table = asyncio.run(run())
    assert {name: report.verdict.name for name, report in table.reports.items()} == {
        "production": VerdictName.INCONCLUSIVE,
        "staging": VerdictName.INCONCLUSIVE,
    }
    assert b'recallwatch_recall_ratio{axis="broad",k="5",role="candidate"' in table.metrics.render()


def test_a_target_that_changed_is_probed_at_once_and_the_others_are_not():
    """Whoever declares a deployment need not wait an hour; a cycle under way is followed by another."""
    store = MemoryStore()

    async def run() -> None:
        table = scheduler(store, production=Echo(delay_s=0.05), staging=Echo())
        table.start()
        await until(
            lambda: "staging" in table.reports and any(run.target == "production" for run in store.runs.values())
        )
        table.trigger_now("production")  # while its first cycle is under way
        await until(lambda: len(_finished(store, "production")) == 2)
        table.trigger_now("production")  # while it rests
        await until(lambda: len(_finished(store, "production")) == 3)
        await table.stop()

    asyncio.run(run())
    assert len(_finished(store, "staging")) == 1


def _finished(store: MemoryStore, target: str) -> list[Run]:
    return [run for run in store.runs.values() if run.target == target and run.status is RunStatus.FINISHED]


def test_a_cycle_that_breaks_is_counted_and_the_others_go_on():
    """One target's trouble, even an error that nobody foresaw, is not another's."""

    async def run() -> Scheduler:
        table = scheduler(MemoryStore(), broken=Echo(error=ZeroDivisionError("bug")), fine=Echo())
        table.start()
        await until(lambda: "fine" in table.reports and table.metrics.cycle_failures["broken"])
        await table.stop()
        return table

    table = asyncio.run(run())
    assert table.metrics.cycle_failures == {"broken": 1}
    assert list(table.reports) == ["fine"]


def test_stopping_marks_what_is_under_way_as_interrupted():
    """A run that a shutdown breaks off does not look as if it were still running."""
    store = MemoryStore()

    async def run() -> None:
        table = scheduler(store, slow=Echo(delay_s=60.0))
        table.start()
        await until(lambda: store.runs)
        await table.stop()

    asyncio.run(run())
    assert [each.status for each in store.runs.values()] == [RunStatus.INTERRUPTED]


class Swapped(Echo):
    """A retriever that finds the right document until its model is swapped."""

    is_worse = False

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The judged document first, or nowhere."""
        first = "nothing" if self.is_worse else query
        return Ranking(doc_ids=(first, *(f"d{rank}" for rank in range(1, k))))


def page_of(policy: Policy) -> tuple[MemoryStore, Scheduler, Swapped]:
    """An hourly schedule over thirty independent queries, judged by a policy whenever it runs."""
    queries = tuple(
        Query(query_id=f"q{n}", text=f"t{n}", stratum="s", cluster=f"c{n}", grades={f"t{n}": 1}) for n in range(30)
    )
    suite = Suite(name="small", version="1", axis=Axis.BROAD, queries=queries, digest="digest")
    store, retriever = MemoryStore(), Swapped()
    world = World(
        store=store,
        retriever=retriever,
        on_call=OnCall(notifiers=("pager",)),
        now=lambda: datetime.now(UTC),
        owner="here/1",
    )
    plan = Plan(target="production", suites=(suite,), policy=policy, is_on_request=True)
    return store, Scheduler(Metrics(), {"hourly": (schedule(every=3_600.0), plan, world)}), retriever


@pytest.mark.parametrize(("confirm", "runs"), [(1, 2), (3, 4)])
def test_a_confirmation_is_asked_for_at_once(confirm, runs):
    """A suspicion is probed again without waiting for the next hour, and then paged once."""
    store, table, retriever = page_of(Policy(resamples=999, confirm=confirm))

    async def run() -> None:
        report = await table.run("hourly")
        run = report.measured[0].run
        await store.promote(
            Baseline(
                target="production",
                suite_name="small",
                run_id=run.run_id,
                promoted_by="ada",
                reason="good",
                promoted_at=datetime.now(UTC),
            )
        )
        retriever.is_worse = True
        await table.run_safely("hourly")

    asyncio.run(run())
    assert len(store.runs) == runs
    assert [item.delivery.alert.state for item in store.queue.values()] == [AlertState.FIRING]
    data = store.queue[1].delivery.alert.payload["data"]
    baseline, candidate = (each.run_id for each in (store.promoted[0], list(store.runs.values())[-1]))
    assert data["next_command"] == f"recallwatch compare {baseline} {candidate}"
    assert data["deployment"]["since"] == min(swap.detected_at for swap in store.swaps).isoformat()


def test_the_watchdog_hears_of_cycles_with_data_only():
    """A run in which too few probes brought something back is no data, and neither is a cycle that breaks."""
    store, table, retriever = page_of(Policy(resamples=999))
    plan = table.plans["hourly"][1]
    table.watchdog = Watchdog({"hourly": WatchedSchedule(plan, 1.0)}, store, OnCall(), lambda: datetime.now(UTC))
    asyncio.run(table.run("hourly"))
    assert list(table.watchdog._last_at) == ["hourly"]
    table.watchdog._last_at.clear()

    async def refuse(query: str, k: int) -> Ranking:
        raise RetrieverError(Reason.REJECTED, "HTTP 404")

    retriever.retrieve = refuse  # type: ignore[method-assign]  # as a target that is gone
    asyncio.run(table.run("hourly"))
    assert table.watchdog._last_at == {}
    assert "Coverage of small is 0.0%" in table.watchdog._problems["hourly"]

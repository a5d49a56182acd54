"""The daemon's rhythm: cycles on their schedules, the outbox always."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TypeAlias
from zlib import crc32

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from monitor.adapters.exporters.prometheus import Metrics, Seen
from monitor.config import Schedule
from monitor.cycle import Report, World, run_cycle
from monitor.errors import ConfigError, MonitorError
from monitor.incident import IncidentStatus
from monitor.plan import Plan
from monitor.watchdog import GRACE_S, Watchdog

_LOG = structlog.get_logger(__name__)

Trigger: TypeAlias = CronTrigger | IntervalTrigger | OrTrigger

SPREAD_S = 30.0
"""The longest that a first cycle is put off, so that targets are not all probed in the same instant …"""
_APART_S = 0.2
"""… and what is enough of it for each of them, where they are few."""
_LOOKED_AHEAD = 34
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(slots=True)
class Timetable:
    """Runs each schedule's plan when it is due, one cycle of a schedule at a time."""

    metrics: Metrics
    plans: Mapping[str, tuple[Schedule, Plan, World]]
    watchdog: Watchdog | None = None
    """Told of every cycle that brings data, and of every one that does not."""
    reports: dict[str, Report] = field(default_factory=dict)
    """The last report of each schedule."""
    _triggers: dict[str, Trigger] = field(default_factory=dict)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)
    _running: set[str] = field(default_factory=set)
    _hurried: set[str] = field(default_factory=set)
    _scheduler: AsyncIOScheduler | None = None

    def start(self) -> AsyncIOScheduler:
        """Start the scheduler on the running loop. The first cycles run at once."""
        # The library warns each time a cycle is not over when the next is due; the cycle's own log says enough.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        scheduler = AsyncIOScheduler(timezone="UTC")
        for name, (schedule, _, world) in self.plans.items():
            trigger = self._triggers[name] = trigger_of(schedule, where=f"schedules.{name}")
            offset = start_offset_s(name, len(self.plans), schedule.every or SPREAD_S)
            first = self.metrics.due[name] = world.now() + timedelta(seconds=offset)
            scheduler.add_job(
                self.run_safely,
                trigger,
                args=(name,),
                id=name,
                coalesce=True,
                max_instances=1,
                # A late cycle is better than none; the library's default forgets it after one second.
                misfire_grace_time=None,
                next_run_time=first,
            )
        scheduler.start()
        self._scheduler = scheduler
        return scheduler

    def hurry(self, target: str) -> None:
        """Have every schedule of a target run now: something changed, and waiting tells nobody anything."""
        for name, (_, plan, world) in self.plans.items():
            if plan.target != target:
                continue
            if name in self._running:  # what is under way began before the change
                self._hurried.add(name)
            elif self._scheduler is not None:
                self._scheduler.modify_job(name, next_run_time=world.now())

    async def run_safely(self, name: str) -> None:
        """Run one cycle; an error is told and ends this cycle, never the daemon."""
        task = asyncio.create_task(self._run_and_tell(name))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.wait({task})  # which, unlike awaiting the task itself, does not pass on that it was broken off

    async def stop(self) -> None:
        """Break off what is under way; its runs are marked as interrupted."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _run_and_tell(self, name: str) -> None:
        _, plan, world = self.plans[name]
        started_at = world.now()
        # What is due next counts from here on, so that a cycle that never ends is late as well.
        self.metrics.due[name] = next_after(self._triggers[name], started_at) or started_at
        self._running.add(name)
        try:
            while self._must_go_on(name, await self.run(name)):
                _LOG.info("probing_again", schedule=name, target=plan.target)
        except MonitorError as error:
            self._count_failure(name, str(error))
            _LOG.error("cycle_failed", schedule=name, target=plan.target, problem=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other schedules must go on
            self._count_failure(name, type(error).__name__)
            _LOG.exception("cycle_failed", schedule=name, target=plan.target)
        finally:
            self._running.discard(name)
        self.metrics.cycle_seconds[name] = (world.now() - started_at).total_seconds()

    def _must_go_on(self, name: str, report: Report) -> bool:
        """Whether another cycle is due at once: to confirm this one, or because the target changed meanwhile."""
        hurried = name in self._hurried
        self._hurried.discard(name)
        return hurried or _awaits_confirmation(report)

    def _count_failure(self, name: str, problem: str) -> None:
        self.metrics.cycle_failures[self.plans[name][1].target] += 1
        if self.watchdog is not None:
            self.watchdog.failed(name, problem)

    async def run(self, name: str) -> Report:
        """Run one cycle and publish what it found."""
        _, plan, world = self.plans[name]
        _LOG.info("cycle_started", schedule=name, target=plan.target)
        report = await run_cycle(plan, world, watch=lambda outcome: self.metrics.watch(plan.target, outcome))
        self.metrics.publish(
            Seen(
                report.verdict,
                report.measured,
                report.incident is not None and report.incident.is_open,
                world.now(),
                report.swaps[0] if report.swaps else None,
                name,
            )
        )
        self.reports[name] = report
        if self.watchdog is not None and _brought_data(report):
            await self.watchdog.heard(name)
        elif self.watchdog is not None:
            self.watchdog.failed(name, report.verdict.summary)
        _LOG.info(
            "cycle_finished",
            schedule=name,
            target=plan.target,
            verdict=report.verdict.name,
            summary=report.verdict.summary,
            swapped=bool(report.swaps),
        )
        return report


def _awaits_confirmation(report: Report) -> bool:
    """Whether another cycle is asked for at once, before on-call is told."""
    incident = report.incident
    return report.verdict.name.pages and incident is not None and incident.status is IncidentStatus.SUSPECTED


def _brought_data(report: Report) -> bool:
    floor = report.verdict.policy.coverage_floor
    answered = all(each.replies is None or each.replies.coverage >= floor for each in report.measured)
    return answered and all(each.counts.coverage >= floor for each in report.measured)


def start_offset_s(name: str, n_schedules: int, interval_s: float) -> float:
    """For how long the first cycle of a schedule waits: as long after every start, less than its interval.

    >>> start_offset_s("hourly", 1, 3_600.0) < 0.2 and start_offset_s("hourly", 200, 5.0) < 5.0
    True
    """
    return min(SPREAD_S, interval_s, _APART_S * n_schedules) * crc32(name.encode()) / 2**32


def silence_allowed_s(schedule: Schedule, at: datetime, *, where: str) -> float:
    """For how long a schedule may bring no data: as configured, else two intervals and a grace."""
    if schedule.no_data_after is not None:
        return schedule.no_data_after
    return 2 * longest_interval_s(trigger_of(schedule, where=where), at) + GRACE_S


def next_after(trigger: Trigger, at: datetime) -> datetime | None:
    """When a cycle that starts at an instant is followed by the next."""
    found: datetime | None = trigger.get_next_fire_time(at, at)
    return found


def longest_interval_s(trigger: Trigger, at: datetime) -> float:
    """The longest time between two of the next cycles: over a weekend, where a schedule knows weekdays."""
    times = [at]
    while len(times) < _LOOKED_AHEAD and (following := next_after(trigger, times[-1])):
        times.append(following)
    return max(((after - before).total_seconds() for before, after in pairwise(times[1:])), default=0.0)


def trigger_of(schedule: Schedule, *, where: str) -> Trigger:
    """The trigger of a schedule, in UTC, where no hour happens twice. Raises ConfigError naming the key."""
    if schedule.every is not None:
        return IntervalTrigger(seconds=schedule.every, timezone="UTC")
    fields = str(schedule.cron).split()
    if len(fields) != 5:
        raise ConfigError(f"{where}.cron", f"{schedule.cron!r} has {len(fields)} fields; cron has five")
    minute, hour, day, month, weekday = fields
    # Where both kinds of day are restricted, cron asks for either and the library for both.
    days = [(day, weekday)] if "*" in day + weekday else [(day, "*"), ("*", weekday)]
    try:
        triggers = [
            CronTrigger(minute=minute, hour=hour, day=each, month=month, day_of_week=weekdays(of_week), timezone="UTC")
            for each, of_week in days
        ]
    except ValueError as error:
        raise ConfigError(f"{where}.cron", f"{schedule.cron!r}: {error}") from error
    if not any(trigger.get_next_fire_time(None, datetime.now(UTC)) for trigger in triggers):
        raise ConfigError(f"{where}.cron", f"{schedule.cron!r} names a day that never comes")
    return triggers[0] if len(triggers) == 1 else OrTrigger(triggers)


def weekdays(field: str) -> str:
    """Cron's days of the week by name, because the library counts from Monday where cron counts from Sunday.

    Raises ValueError for what cron does not know.

    >>> weekdays("1-5"), weekdays("*/3"), weekdays("sat,7")
    ('mon,tue,wed,thu,fri', 'sun,wed,sat', 'sun,sat')
    """
    if field == "*":
        return "*"
    chosen = {day % 7 for part in field.lower().split(",") for day in _days_in(part)}
    return ",".join(_DAYS[day] for day in sorted(chosen))


def _days_in(part: str) -> range:
    match = _DAY_RANGE.fullmatch(part)
    if match is None:
        raise ValueError(f"{part!r} is not a day of the week; write 0-7 (0 and 7 are Sunday) or sun to sat")
    first, last, step = match["first"], match["last"], int(match["step"] or 1)
    if first == "*":
        return range(0, 7, step)
    begin = _day(first)
    end = _day(last) if last else 6 if match["step"] else begin
    if end < begin:
        end += 7  # sat-mon goes over the end of the week
    return range(begin, end + 1, step)


def _day(name: str) -> int:
    return int(name) if name.isdecimal() else _DAYS.index(name)


_DAY = "[0-7]|" + "|".join(_DAYS)
_DAY_RANGE = re.compile(rf"(?P<first>\*|{_DAY})(-(?P<last>{_DAY}))?(/(?P<step>[1-7]))?")

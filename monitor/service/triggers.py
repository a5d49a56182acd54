"""When the cycles of a schedule are due."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import TypeAlias
from zlib import crc32
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger
from cronsim import CronSim, CronSimError

from monitor.alerting.no_data import GRACE_S
from monitor.config.config import Schedule
from monitor.errors import ConfigError

SPREAD_S = 30.0
"""The longest delay of a first cycle, so that targets are not all probed in the same instant …"""

_APART_S = 0.2
"""… and the share of it for each schedule, if there are few."""

_INTERVALS_AHEAD = 34

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31",
    "month": "1-12 or jan-dec",
    "day-of-week": "0-7 (0 and 7 are Sunday) or sun-sat",
}
"""Names of the five fields of cron, as in the library's errors → values."""

_EXTENSION = re.compile(r"[^0-9a-z*,/-]|(?<![a-z])[a-z]{1,2}(?![a-z])", re.IGNORECASE)
"""``L``, ``LW``, ``5L``, ``1#2`` and ``?``: not part of cron, and with different meanings in its extensions."""


class CronTrigger(BaseTrigger):  # type: ignore[misc]  # the library ships no types
    """Fires at the times of a valid cron expression in a time zone, as Debian's cron.

    Where clocks go forward, a fixed time within the missing hour fires right after it. Where they go back, a fixed time
    within the repeated hour fires once, the first time; an expression for every hour or minute fires in both.
    """

    def __init__(self, expression: str, zone: tzinfo = UTC) -> None:
        self.expression = expression
        self.zone = zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first time that is after the previous one and not before now."""
        after = now.astimezone(UTC) - timedelta(microseconds=1)
        if previous_fire_time is not None:
            after = max(after, previous_fire_time.astimezone(UTC))
        return next(CronSim(self.expression, after.astimezone(self.zone))).astimezone(UTC)

    def get_previous_fire_time(self, now: datetime) -> datetime:
        """The latest time that is not after now."""
        local = (now + timedelta(microseconds=1)).astimezone(self.zone)
        latest = next(CronSim(self.expression, local, reverse=True)).astimezone(UTC)
        # Around a change of clocks the way back is not the reverse of the way forward.
        while (following := self.get_next_fire_time(latest, latest)) <= now:
            latest = following
        return latest


Trigger: TypeAlias = CronTrigger | IntervalTrigger


def start_offset_s(name: str, n_schedules: int, interval_s: float) -> float:
    """The delay of a schedule's first cycle: the same after every start, and less than its interval.

    >>> start_offset_s("hourly", 1, 3_600.0) < 0.2 and start_offset_s("hourly", 200, 5.0) < 5.0
    True
    """
    return min(SPREAD_S, interval_s, _APART_S * n_schedules) * crc32(name.encode()) / 2**32


def no_data_after_s(schedule: Schedule, at: datetime, *, where: str) -> float:
    """The time without data after which on-call is notified: as configured, else two intervals and a grace period."""
    if schedule.no_data_after is not None:
        return schedule.no_data_after
    return 2 * longest_interval_s(trigger_of(schedule, where=where), at) + GRACE_S


def next_after(trigger: Trigger, at: datetime) -> datetime:
    """The first due time after an instant."""
    if isinstance(trigger, CronTrigger):
        return trigger.get_next_fire_time(at, at)
    interval: timedelta = trigger.interval
    return latest_until(trigger, at) + interval


def latest_until(trigger: Trigger, at: datetime) -> datetime:
    """The latest due time that is not after an instant."""
    if isinstance(trigger, CronTrigger):
        return trigger.get_previous_fire_time(at)
    interval: timedelta = trigger.interval
    return _EPOCH + (at - _EPOCH) // interval * interval


def longest_interval_s(trigger: Trigger, at: datetime) -> float:
    """The longest time between two of the next cycles; a schedule of weekdays has its longest over the weekend."""
    times = [at]
    while len(times) < _INTERVALS_AHEAD:
        times.append(next_after(trigger, times[-1]))
    return max(((after - before).total_seconds() for before, after in pairwise(times[1:])), default=0.0)


def trigger_of(schedule: Schedule, *, where: str) -> Trigger:
    """The trigger of a schedule. Intervals count from 1970, alike in each process. Raises ConfigError with the key."""
    if schedule.every is not None:
        return IntervalTrigger(seconds=schedule.every, start_date=_EPOCH, timezone="UTC")
    expression = str(schedule.cron)
    expression = _ALIASES.get(expression.lower(), expression)
    if expression.startswith("@"):
        raise ConfigError(f"{where}.cron", f"{expression!r} is unknown; write {', '.join(_ALIASES)}, or five fields")
    if problem := _problem_of(expression):
        raise ConfigError(f"{where}.cron", f"{expression!r} {problem}")
    return CronTrigger(expression, ZoneInfo(schedule.timezone))


def _problem_of(expression: str) -> str:
    """The mistake in a cron expression; empty for a valid one."""
    fields = dict(zip(_FIELDS, expression.split(), strict=False))
    if (n_fields := len(expression.split())) != len(_FIELDS):
        return f"has {n_fields} fields; cron has five"
    name = next((name for name, field in fields.items() if _EXTENSION.search(field)), "")
    if not name:
        name = _wrong_field(expression)
        if name == "day-of-month" and not _wrong_field(" ".join((fields | {"month": "*"}).values())):
            return "names a day that never comes"
    return f"has a wrong {name}: {fields[name]!r}; write {_FIELDS[name]}" if name else ""


def _wrong_field(expression: str) -> str:
    """The name of the first field that the library refuses; empty if it accepts all."""
    try:
        next(CronSim(expression, datetime.now(UTC)))
    except CronSimError as error:
        return str(error).removeprefix("Bad ")
    return ""

"""When the cycles of a schedule are due."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import TypeAlias
from zlib import crc32

from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from monitor.alerting.no_data import GRACE_S
from monitor.config.config import Schedule
from monitor.errors import ConfigError

Trigger: TypeAlias = CronTrigger | IntervalTrigger | OrTrigger

SPREAD_S = 30.0
"""The longest that a first cycle is put off, so that targets are not all probed in the same instant …"""

_APART_S = 0.2
"""… and what is enough of it for each of them, where they are few."""

_LOOKED_AHEAD = 34

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def start_offset_s(name: str, n_schedules: int, interval_s: float) -> float:
    """For how long the first cycle of a schedule waits: as long after every start, less than its interval.

    >>> start_offset_s("hourly", 1, 3_600.0) < 0.2 and start_offset_s("hourly", 200, 5.0) < 5.0
    True
    """
    return min(SPREAD_S, interval_s, _APART_S * n_schedules) * crc32(name.encode()) / 2**32


def no_data_after_s(schedule: Schedule, at: datetime, *, where: str) -> float:
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

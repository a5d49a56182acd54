"""Silences: periods in which matching alerts are held back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

Match = Mapping[str, tuple[str, ...]]
"""Label to accepted values; a value between slashes is a regular expression that must match the whole label."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A period in which matching alerts are held back: once, or on some weekdays between two times of a zone."""

    reason: str
    match: Match = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    daily: tuple[time, time] | None = None
    """Start and end within a day, in `zone`; an end before or at the start is on the next day."""
    zone: str = "UTC"
    """IANA name of the time zone of `daily` and `weekdays`."""
    weekdays: tuple[str, ...] = ()
    """Days on which a daily silence starts; empty for every day."""
    silence_id: str = ""
    """Empty for a silence of the configuration."""
    author: str = ""
    created_at: datetime | None = None
    ended_by: str = ""
    ended_at: datetime | None = None
    """When a person ended it; None while it holds."""

    def is_over(self, at: datetime) -> bool:
        """Whether it holds nothing back from then on, because it ended or never begins."""
        if self.ended_at is not None or (self.daily is None and self.ends_at is None):
            return True
        return self.ends_at is not None and self.ends_at <= max(at, self.starts_at or at)

    def end_after(self, at: datetime) -> datetime | None:
        """The end of the silence if it covers the instant; else None."""
        if self.ended_at is not None or (self.starts_at is not None and at < self.starts_at):
            return None
        if self.daily is None:
            return self.ends_at if self.ends_at is not None and at < self.ends_at else None
        end = self._end_of_day(at.astimezone(ZoneInfo(self.zone)))
        if end is None or self.ends_at is None:
            return end
        return min(end, self.ends_at) if at < self.ends_at else None

    def _end_of_day(self, now: datetime) -> datetime | None:
        """The end of today's part, or of yesterday's that reaches into today."""
        start, end = self.daily or (time(), time())
        for day in (now.date(), now.date() - timedelta(days=1)):
            starts_at = datetime.combine(day, start, tzinfo=now.tzinfo)
            # The fold is that of now: in an hour that clocks repeat, the end is the one that comes after now.
            ends_at = datetime.combine(day + timedelta(days=end <= start), end, tzinfo=now.tzinfo).replace(
                fold=now.fold
            )
            is_its_day = not self.weekdays or WEEKDAYS[day.weekday()] in self.weekdays
            if is_its_day and starts_at <= now < ends_at:
                return ends_at.astimezone(UTC)
        return None

"""Routes and silences in the configuration: which notifiers receive which alerts, and when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from monitor.config.section import Duration, Section
from monitor.errors import ConfigError
from monitor.incidents.routing import Match, Route, Silence, pattern_of

_TIME = r"([01]?\d|2[0-3]):([0-5]\d)"
_WINDOW = re.compile(rf"{_TIME}\s*-\s*{_TIME}")


def _values(value: Any) -> Any:
    """One text or a list of texts; a text between slashes must be a regular expression."""
    values = value if isinstance(value, list) else [value]
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"is {value!r}; must be a text, or a list of texts")  # noqa: TRY004 - pydantic's own
        if (pattern := pattern_of(value)) is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{value} is not a regular expression: {error}") from error
    return values


def _window(value: Any) -> Any:
    match = _WINDOW.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is not a part of a day; write for example 22:00-06:00")
    start, end = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if start == end:
        raise ValueError("must not end at the time at which it starts")
    return start, end


def _instant(value: Any) -> Any:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f"{value} is not a time with its zone; write for example 2026-03-01T22:00:00Z")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{value} is beyond the calendar") from None


def check_zone(name: str) -> str:
    """The name, if it is a time zone. Raises ValueError if not."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write a name such as Europe/Berlin") from None
    return name


Values = Annotated[
    tuple[str, ...],
    BeforeValidator(_values),
    Field(min_length=1, json_schema_extra={"type": ["string", "array"]}),
]
Window = Annotated[
    tuple[time, time],
    BeforeValidator(_window),
    Field(json_schema_extra={"type": "string", "examples": ["22:00-06:00"]}),
]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Zone = Annotated[str, AfterValidator(check_zone)]


class MatchOptions(Section):
    """Selects alerts: every given label must match. A text between slashes is a regular expression."""

    severity: Values | None = None
    """``critical`` or ``warning``."""
    axis: Values | None = None
    """``broad`` or ``compositional``."""
    suite: Values | None = None
    """Suites with a drop, by their own names."""
    target: Values | None = None
    """Targets, by name."""
    owner: Values | None = None
    """Owners of targets."""

    def to_match(self) -> Match:
        """The given labels."""
        return {label: values for label, values in self.model_dump().items() if values is not None}


class RouteOptions(Section):
    """Sends alerts to notifiers. The first matching route applies; the final one must match every alert."""

    model_config = ConfigDict(populate_by_name=True)

    match: MatchOptions = MatchOptions()
    """The alerts it applies to; by default all."""
    notifiers: Annotated[tuple[str, ...], Field(min_length=1)]
    """The notifiers, by their names in ``notifiers``."""
    continue_: bool = Field(default=False, alias="continue")
    """Whether later routes apply too."""
    remind_every: Duration | None = None
    """Time between reminders of an open incident that no person has acknowledged, such as ``4h``; by default none."""

    def to_route(self) -> Route:
        """The route as the core uses it."""
        return Route(self.notifiers, self.match.to_match(), self.continue_, self.remind_every)


class SilenceOptions(Section):
    """A time without notifications of matching alerts: once, from and to, or daily, perhaps on some weekdays."""

    model_config = ConfigDict(populate_by_name=True)

    match: MatchOptions = MatchOptions()
    """The alerts it applies to; by default all."""
    reason: Annotated[str, Field(min_length=1)]
    """The reason; it is recorded with every suppressed alert."""
    starts_at: Instant | None = Field(default=None, alias="from")
    """The start, such as ``2026-03-01T22:00:00Z``; by default now."""
    ends_at: Instant | None = Field(default=None, alias="to")
    """The end."""
    daily: Window | None = None
    """A part of each day, such as ``22:00-06:00``; instead of ``from`` and ``to``."""
    zone: Zone = "UTC"
    """The time zone of ``daily`` and ``weekdays``, such as ``Europe/Berlin``."""
    weekdays: tuple[Weekday, ...] = ()
    """The days on which ``daily`` starts, such as ``[sat, sun]``; by default every day. Without ``daily`` the whole
    day."""

    @model_validator(mode="after")
    def _has_one_time(self) -> SilenceOptions:
        if self.weekdays and self.daily is None and self.ends_at is None:
            return self
        if self.weekdays and self.daily is None:
            raise ValueError("weekdays belong to daily, not to a single silence")
        if (self.ends_at is None) == (self.daily is None) or (self.daily and self.starts_at):
            raise ValueError("give either to (and from), or daily, and not both")
        if self.ends_at and self.starts_at and self.ends_at <= self.starts_at:
            raise ValueError("to must be after from")
        return self

    def to_silence(self) -> Silence:
        """The silence as the core uses it."""
        return Silence(
            reason=self.reason,
            match=self.match.to_match(),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            daily=self.daily or ((time(), time()) if self.weekdays else None),
            zone=self.zone,
            weekdays=self.weekdays,
        )


def check_routes(routes: Sequence[RouteOptions]) -> None:
    """Raise ConfigError unless every alert has a route, and every route can be reached."""
    for index, route in enumerate(routes):
        is_last, takes_all = index == len(routes) - 1, not route.match.to_match()
        if is_last and not takes_all:
            raise ConfigError(f"routes.{index}.match", "the final route must match every alert: leave match out")
        if takes_all and not is_last and not route.continue_:
            raise ConfigError(f"routes.{index + 1}", f"is never reached: routes.{index} matches every alert")

"""The parts of the configuration that say who is told, and when nobody is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from monitor.config.section import Section
from monitor.errors import ConfigError
from monitor.incidents.routing import Match, Route, Silence, pattern_of

_TIME = r"([01]?\d|2[0-3]):([0-5]\d)"
_WINDOW = re.compile(rf"{_TIME}\s*-\s*{_TIME}")


def _values(stated: Any) -> Any:
    """One value or a list of them, each a text; a regular expression must be one."""
    values = stated if isinstance(stated, list) else [stated]
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"is {value!r}; must be a text, or a list of texts")  # noqa: TRY004 - pydantic's own
        if (pattern := pattern_of(value)) is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{value} is not a regular expression: {error}") from error
    return values


def _window(stated: Any) -> Any:
    match = _WINDOW.fullmatch(str(stated).strip())
    if match is None:
        raise ValueError(f"{stated!r} is not a part of a day; write for example 22:00-06:00")
    start, end = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if start == end:
        raise ValueError("must end at another time than it starts")
    return start, end


def _instant(stated: Any) -> Any:
    try:
        at = stated if isinstance(stated, datetime) else datetime.fromisoformat(str(stated))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f"{stated} is not a time with its zone; write for example 2026-03-01T22:00:00Z")
    return at


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


class MatchOptions(Section):
    """Which alerts: all labels that are given must fit. A text between slashes is a regular expression."""

    severity: Values | None = None
    """``critical`` or ``warning``."""
    axis: Values | None = None
    """``broad`` or ``compositional``."""
    suite: Values | None = None
    """Suites that fell, by their own names."""
    target: Values | None = None
    """Targets, by name."""
    owner: Values | None = None
    """Owners of targets."""

    def to_match(self) -> Match:
        """The labels that are given."""
        return {label: values for label, values in self.model_dump().items() if values is not None}


class RouteOptions(Section):
    """Which notifiers an alert goes to. The first route that fits is taken; the last must fit every alert."""

    model_config = ConfigDict(populate_by_name=True)

    match: MatchOptions = MatchOptions()
    """Which alerts; without it all of them."""
    notifiers: Annotated[tuple[str, ...], Field(min_length=1)]
    """Notifiers that are told, by their names in ``notifiers``."""
    continue_: bool = Field(default=False, alias="continue")
    """Whether the routes after it are asked as well."""

    def to_route(self) -> Route:
        """The route as the core knows it."""
        return Route(self.notifiers, self.match.to_match(), self.continue_)


class SilenceOptions(Section):
    """When nobody is told of the alerts that fit: once, from and to, or every day."""

    model_config = ConfigDict(populate_by_name=True)

    match: MatchOptions = MatchOptions()
    """Which alerts; without it all of them."""
    reason: Annotated[str, Field(min_length=1)]
    """Why; it stands in the record of every alert that is held back."""
    starts_at: Instant | None = Field(default=None, alias="from")
    """The beginning, such as ``2026-03-01T22:00:00Z``; at once if left out."""
    ends_at: Instant | None = Field(default=None, alias="to")
    """The end."""
    daily: Window | None = None
    """A part of every day in UTC, such as ``22:00-06:00``; instead of ``from`` and ``to``."""

    @model_validator(mode="after")
    def _has_one_time(self) -> SilenceOptions:
        if (self.ends_at is None) == (self.daily is None) or (self.daily and self.starts_at):
            raise ValueError("give either to (and from), or daily, and not both")
        if self.ends_at and self.starts_at and self.ends_at <= self.starts_at:
            raise ValueError("to must be after from")
        return self

    def to_silence(self) -> Silence:
        """The silence as the core knows it."""
        return Silence(self.reason, self.match.to_match(), self.starts_at, self.ends_at, self.daily)


def check_routes(routes: Sequence[RouteOptions]) -> None:
    """Raise ConfigError unless every alert has a route, and every route can be reached."""
    for index, route in enumerate(routes):
        is_last, takes_all = index == len(routes) - 1, not route.match.to_match()
        if is_last and not takes_all:
            raise ConfigError(f"routes.{index}.match", "the last route must take every alert: leave match out")
        if takes_all and not is_last and not route.continue_:
            raise ConfigError(f"routes.{index + 1}", f"is never reached, for routes.{index} takes every alert")

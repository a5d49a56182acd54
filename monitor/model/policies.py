"""Policies: the rules that lead from evidence to a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from monitor.model.measures import default_gating
from monitor.model.suites import Axis

QueryText = Literal["show", "hash", "withhold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Margin and floors for a part of the measurements: an axis, a suite, a stratum, a measure or a combination."""

    margin: float | None = None
    floor_absolute: float | None = None
    floor_relative: float | None = None
    axis: Axis | None = None
    suite: str | None = None
    stratum: str | None = None
    measure: str | None = None

    def matches(self, axis: Axis, suite: str, stratum: str, measure: str) -> bool:
        """Whether every field that is set equals its argument."""
        conditions = ((self.axis, axis), (self.suite, suite), (self.stratum, stratum), (self.measure, measure))
        return all(required is None or required == value for required, value in conditions)


class ToleratedDrop(NamedTuple):
    """Margin and floors for one measure of one stratum. Ratios are in [0, 1]."""

    margin: float
    floor_absolute: float
    floor_relative: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rule that leads from evidence to a verdict. Ratios are in [0, 1]."""

    alpha_page: float = 0.01
    alpha_year: float = 0.05
    alpha_warn: float = 0.05
    floor_absolute: float = 0.01
    floor_relative: float = 0.02
    margin: float = 0.05
    stratum_margin: float = 0.10
    """Tolerated drop of one stratum; wider than that of a whole axis, because the mean of a stratum is less certain."""
    coverage_floor: float = 0.98
    label_floor: float = 0.98
    """Runs cannot be compared below this share of the baseline's label validity."""
    min_clusters: int = 12
    resamples: int = 9_999
    replays: int = 24
    replayed_queries: int = 500
    gating: Mapping[Axis, tuple[str, ...]] = field(default_factory=default_gating)
    tolerances: tuple[Tolerance, ...] = ()
    """Exceptions from margin and floors; if several match and set a value, the final one counts."""

    def tolerance_of(self, axis: Axis, suite: str, stratum: str, measure: str) -> ToleratedDrop:
        """Margin and floors that hold for one measure of one stratum."""
        values = ToleratedDrop(self.margin, self.floor_absolute, self.floor_relative)
        for tolerance in self.tolerances:
            if tolerance.matches(axis, suite, stratum, measure):
                fields = {name: getattr(tolerance, name) for name in ToleratedDrop._fields}
                values = values._replace(**{name: value for name, value in fields.items() if value is not None})
        return values

    def stratum_margin_of(self, axis: Axis, suite: str, stratum: str, measure: str) -> float:
        """Tolerated drop of one stratum: its own tolerance, else that of the axis, widened."""
        margins = [
            each.margin
            for each in self.tolerances
            if each.stratum == stratum and each.margin is not None and each.matches(axis, suite, stratum, measure)
        ]
        if margins:
            return margins[-1]
        return self.tolerance_of(axis, suite, stratum, measure).margin * self.stratum_margin / self.margin

    confirm: int = 1
    recover: int = 2
    reopen_within: float = 86_400.0
    critical_absolute: float = 0.05
    critical_relative: float = 0.10
    query_text: QueryText = "show"
    context_window: int = 5
    """Number of contexts that an answerer reads, if it does not report them."""

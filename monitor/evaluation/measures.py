"""The measures by name: parsing of names and aliases, their functions, and the lists that follow from the registry.

The entries are in `monitor.model.measures`; this module resolves their functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from monitor.errors import ComparisonError
from monitor.model.measures import MEASURES, Family, Measure, Needs

__all__ = [
    "ANSWER_MEASURES",
    "FAMILIES",
    "LEADING",
    "MEASURES",
    "REPORTED",
    "UNRANKED",
    "MeasureAt",
    "function",
    "names",
    "parse",
    "table",
    "upper_bound",
]

_NAME = re.compile(r"(?P<name>[A-Za-z0-9_]+)(?:@(?P<k>0|-?[1-9][0-9]*))?")
_BY_ALIAS = {alias: measure for measure in MEASURES.values() for alias in (measure.name, *measure.aliases)}


class MeasureAt(NamedTuple):
    """A measure at its cutoff; ``k`` is None where it has none."""

    measure: Measure
    k: int | None

    @property
    def name(self) -> str:
        """The canonical name, such as ``ndcg@10``."""
        return self.measure.at(self.k)


def names(*needs: Needs) -> tuple[str, ...]:
    """Canonical names of the measures that need one of these, without cutoffs, in the order of the registry."""
    return tuple(measure.name for measure in MEASURES.values() if measure.needs in needs)


ANSWER_MEASURES = names(*(needs for needs in Needs if needs.is_answer))
"""Every measure of answers."""

UNRANKED = frozenset(names(*(needs for needs in Needs if needs is not Needs.RANKINGS)))
"""Measures that are not computed from the judgements of a ranking, by name."""

REPORTED = tuple(
    measure.at(k) for measure in MEASURES.values() if measure.needs is Needs.RANKINGS for k in measure.reported
)
"""Rank measures of every run; a policy may name more."""

LEADING = {
    measure.needs: measure.at(next((k for cutoffs in measure.gates.values() for k in cutoffs), None))
    for measure in sorted(MEASURES.values(), key=lambda measure: list(Needs).index(measure.needs))
    if measure.leads
}
"""The leading measure of each part of a run, at its gating cutoff, in the order of `Needs`."""

FAMILIES: dict[str, Family] = {measure.family.metric: measure.family for measure in MEASURES.values()}
"""Prometheus metric name to the family of one or more measures."""


@cache
def parse(name: str) -> MeasureAt:
    """The measure and cutoff behind a name or an alias.

    Names are case-sensitive. Raises ComparisonError if the measure is unknown, lacks its cutoff, has one that it does
    not take, or if the cutoff is below 1.

    Examples
    --------
    >>> parse("nDCG@10").name, parse("Rprec").name
    ('ndcg@10', 'rprec')
    """
    match = _NAME.fullmatch(name)
    measure = _BY_ALIAS.get(match["name"]) if match else None
    if match is None or measure is None or measure.has_cutoff == (match["k"] is None):
        known_names = ", ".join(each.pattern for each in MEASURES.values())
        raise ComparisonError(f"unknown measure {name!r}; known measures: {known_names}")
    k = None if match["k"] is None else int(match["k"])
    if k is not None and k < 1:
        raise ComparisonError(f"measure {name!r}: the cutoff must be 1 or more")
    return MeasureAt(measure, k)


def function(measure: Measure) -> Callable[..., Any]:
    """The function of a measure; its parameters depend on the `Needs` of the measure."""
    return _resolve(measure.function)


def upper_bound(measure: Measure) -> Callable[..., Any] | None:
    """The function for the upper bound of a measure; None where it has none."""
    return _resolve(measure.upper_bound) if measure.upper_bound else None


def table() -> list[dict[str, str]]:
    """One row for each measure, as `recallwatch measures` prints it.

    Examples
    --------
    >>> table()[0]["name"], table()[0]["aliases"], table()[0]["range"]
    ('recall@k', 'R@k', '0 to 1')
    """
    return [
        {
            "name": measure.pattern,
            "aliases": ", ".join(f"{alias}@k" if measure.has_cutoff else alias for alias in measure.aliases),
            "axis": ", ".join(measure.axes),
            "range": "{:g} to {:g}".format(*measure.range),
            "better": "higher" if measure.higher_is_better else "lower",
            "unit": measure.unit,
            "needs": str(measure.needs),
            "summary": measure.summary,
            "citation": measure.citation,
        }
        for measure in MEASURES.values()
    ]


@cache
def _resolve(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    resolved: Callable[..., Any] = getattr(import_module(f"monitor.evaluation.{module}"), name)
    return resolved

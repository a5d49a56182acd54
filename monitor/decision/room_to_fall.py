"""Whether the measures of a run can fall at all: zero cannot, so nothing would ever page.

A run is *not* a usable baseline if its suite knows none of the returned ids, or if no gating measure of a suite is
above its lowest value by more than the absolute floor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.evaluation.measures import parse
from monitor.evaluation.recognition import recognise
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.statistics.pairing import OVERALL

FEWEST_RECOGNISED = 0.05
"""If a smaller share of the queries returns any known id, nearly nothing that comes back is judged."""


def without_room(measured: Measured, policy: Policy) -> str:
    """Why no gating measure of a run can fall; empty if one can, or if no probe succeeded."""
    suite = measured.suite
    if not measured.counts.scored:
        return ""
    recognition = recognise(suite, measured.run.outcomes)
    if recognition.is_foreign:
        return f"{suite.name}: {recognition.description}"
    means = list(_gating_means(measured, policy))
    if means and all(_is_on_floor(name, mean, measured, policy) for name, mean in means):
        return f"{suite.name}: {_listed(means)}, so that no gating measure has room to fall; {recognition.description}"
    return ""


def doubts(measured: Measured, policy: Policy) -> list[str]:
    """Why a run makes a poor baseline: no room to fall, hardly any known id, or one measure on its lowest value."""
    if reason := without_room(measured, policy):
        return [reason]
    name, recognition = measured.suite.name, recognise(measured.suite, measured.run.outcomes)
    sentences = [
        f"{name}: {measure} is {mean:.3f}, its lowest value, and cannot fall"
        for measure, mean in _gating_means(measured, policy)
        if mean <= parse(measure).measure.range[0]
    ]
    has_few = recognition.known_id and recognition.n_recognised < FEWEST_RECOGNISED * recognition.n_queries
    return [*sentences, *([f"{name}: {recognition.description}"] if has_few else [])]


def suites_without_room(results: Sequence[SuiteResult], policy: Policy) -> list[str]:
    """The reason for each suite whose baseline, or whose run where there is no baseline, cannot fall."""
    return [reason for each in results if (reason := without_room(each.baseline or each.measured, policy))]


def _gating_means(measured: Measured, policy: Policy) -> Iterator[tuple[str, float]]:
    """The gating measures of a run with their means; measures that the run does not have are left out."""
    for name in policy.gating.get(measured.suite.axis, ()):
        measurements = measured.measurements.get(name)
        if measurements is not None and len(measurements.values):
            yield name, measurements.mean


def _is_on_floor(name: str, mean: float, measured: Measured, policy: Policy) -> bool:
    measure = parse(name).measure
    suite = measured.suite
    floor = measure.absolute_floor
    if floor is None:
        floor = policy.tolerance_of(suite.axis, suite.name, OVERALL, name).floor_absolute
    return mean - measure.range[0] < floor


def _listed(means: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} is {mean:.3f}" for name, mean in means)

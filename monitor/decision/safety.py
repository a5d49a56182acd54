"""Safety of a result: non-inferiority of each axis, with a guard over its strata (procedure, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.evaluation.measures import parse
from monitor.model.policies import Policy, ToleratedDrop
from monitor.model.suites import Axis
from monitor.model.verdicts import AxisSafety
from monitor.statistics.non_inferiority import (
    NonInferiority,
    absolute_non_inferiority,
    relative_non_inferiority,
)
from monitor.statistics.pairing import OVERALL, Paired, is_part
from monitor.statistics.strata_guard import Guard, guard_strata, relative_margins


def axis_safety(everything: Sequence[Paired], policy: Policy) -> list[AxisSafety]:
    """Safety of every gating measure of every suite, from all pairs of a comparison.

    A measure is safe if the whole axis lost less than the margin, tested at 0.05, and if no stratum is likely to have
    lost its own, wider margin. Controls count as strata.
    """
    families: dict[tuple[str, str], list[Paired]] = {}
    for paired in everything:
        if paired.measure in policy.gating.get(Axis(paired.axis), ()):
            families.setdefault((paired.suite, paired.measure), []).append(paired)
    return [_safety(family, policy) for family in families.values()]


def non_inferiority_of(paired: Paired, tolerated: ToleratedDrop, *, min_clusters: int) -> NonInferiority | None:
    """The non-inferiority test that fits the measure: relative to the baseline mean, or absolute for separation."""
    measure = parse(paired.measure).measure
    if measure.absolute_margin is not None:
        return absolute_non_inferiority(
            paired, margin=measure.absolute_margin, lowest=measure.range[0], min_clusters=min_clusters
        )
    return relative_non_inferiority(paired, margin=tolerated.margin, min_clusters=min_clusters)


def range_of(measure: str) -> tuple[float, float]:
    """Lowest and highest value of a measure."""
    return parse(measure).measure.range


def _safety(family: Sequence[Paired], policy: Policy) -> AxisSafety:
    """Safety of one measure from its pairs: the whole suite and its strata."""
    overall = next(each for each in family if each.stratum == OVERALL)
    strata = [each for each in family if is_part(each.stratum)]
    tolerated = policy.tolerance_of(overall.axis, overall.suite, OVERALL, overall.measure)
    test = non_inferiority_of(overall, tolerated, min_clusters=policy.min_clusters)
    guard = _guard(strata, policy)
    is_kept = test is not None and test.p_value <= policy.alpha_warn
    return AxisSafety(
        suite=overall.suite,
        axis=Axis(overall.axis),
        measure=overall.measure,
        p_value=test.p_value if test else math.nan,
        margin=parse(overall.measure).measure.absolute_margin or tolerated.margin,
        lower=test.lower if test else math.nan,
        is_safe=is_kept and guard.passed,
        worst_stratum=guard.worst,
        worst_probability=guard.probability,
        queries_needed=max(guard.queries_needed.values(), default=0) if not guard.passed else 0,
    )


def _guard(strata: Sequence[Paired], policy: Policy) -> Guard:
    """The guard over the strata of one measure, each with the margin that the policy gives it."""
    measure = parse(strata[0].measure).measure if strata else None
    if measure and measure.absolute_margin is not None:
        lowest, highest = measure.range
        widened = measure.absolute_margin * policy.stratum_margin / policy.margin
        return guard_strata(strata, [widened] * len(strata), worst_drop=highest - lowest)
    margins = [
        margin
        for each in strata
        for margin in relative_margins(
            [each], policy.stratum_margin_of(each.axis, each.suite, each.stratum, each.measure)
        )
    ]
    return guard_strata(strata, margins)

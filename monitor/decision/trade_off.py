"""The trade-off: structure gained while broad retrieval lost (procedure, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from monitor.evaluation.measures import MEASURES, parse
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.model.verdicts import Evidence
from monitor.statistics.pairing import OVERALL, PHENOMENA

GAINS = sorted((each for each in MEASURES.values() if each.gain), key=lambda each: each.gain)
"""Measures of a gain of structure, the most sensitive first; the first one with evidence decides."""


class TradeOff(NamedTuple):
    """Drops of the broad axis and the rise of the compositional one."""

    fallen: tuple[Evidence, ...]
    risen: Evidence
    lost_controls: tuple[Evidence, ...]
    """Control strata that lost separation or accuracy: the gain is not of structure alone."""


def find_trade_off(evidence: Sequence[Evidence], policy: Policy) -> TradeOff | None:
    """The trade-off that the evidence shows, or None.

    By intersection and union: the larger of the p-value that structure did not gain and the p-value that broad
    retrieval did not lose must not exceed ``alpha_page``; no correction is needed (Berger 1982). Broad retrieval lost
    if a measure fell beyond its floors after correction, or if the leading measure of the whole axis did without it.
    Structure gained if separation, or forced choice without scores, rose over all phenomena pooled, controls left out.
    """
    risen = _gain(evidence, policy)
    if risen is None:
        return None
    fallen = tuple(each for each in evidence if each.axis is Axis.BROAD and each.fallen)
    leading = next(iter(policy.gating.get(Axis.BROAD, ())), "")
    overall = tuple(
        each
        for each in evidence
        if each.axis is Axis.BROAD
        and (each.stratum, each.measure) == (OVERALL, leading)
        and each.p_worse <= policy.alpha_page
        and is_beyond_floors(each, policy)
    )
    if not (fallen or overall):
        return None
    return TradeOff(fallen or overall, risen, _lost_controls(evidence, risen, policy))


def is_beyond_floors(evidence: Evidence, policy: Policy, *, rise: bool = False) -> bool:
    """Whether the drop, or the rise, is larger than both floors: absolute, and relative to the baseline mean."""
    tolerance = policy.tolerance_of(evidence.axis, evidence.suite, evidence.stratum, evidence.measure)
    floor = parse(evidence.measure).measure.absolute_floor
    direction = 1 if rise else -1
    change = direction * evidence.difference
    if floor is not None:
        return change >= floor
    return change >= tolerance.floor_absolute and not (
        direction * evidence.relative_difference < tolerance.floor_relative
    )


def _gain(evidence: Sequence[Evidence], policy: Policy) -> Evidence | None:
    """The pooled gain of the most sensitive measure with a test; None if it is not significant.

    Forced choice must also gain more than the floor. Separation has no floor for gains: its unit is the spread of the
    returned scores, which differs with the model and the number of hits. The drop of broad retrieval has its floors.
    """
    with_controls = {each.suite for each in evidence if each.stratum == PHENOMENA}
    pooled = {
        each.measure: each
        for each in evidence
        if each.axis is Axis.COMPOSITIONAL
        and each.stratum == (PHENOMENA if each.suite in with_controls else OVERALL)
        and each.p_better == each.p_better
    }
    best = next((pooled[each.name] for each in GAINS if each.name in pooled), None)
    if best is None or best.p_better > policy.alpha_page:
        return None
    has_unit = parse(best.measure).measure.absolute_floor is None
    return best if not has_unit or best.difference >= policy.floor_absolute else None


def _lost_controls(evidence: Sequence[Evidence], risen: Evidence, policy: Policy) -> tuple[Evidence, ...]:
    return tuple(
        each
        for each in evidence
        if each.is_control
        and each.measure == risen.measure
        and each.p_worse <= policy.alpha_warn
        and is_beyond_floors(each, policy)
    )

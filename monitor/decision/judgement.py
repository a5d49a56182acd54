"""From evidence to a verdict, in a fixed order: trade-off, regressed, passed, inconclusive.

(`invalid` is decided before there is evidence: when the ruler moved or too little came back.)
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from monitor.model.policies import Policy
from monitor.model.runs import Counts
from monitor.model.suites import Axis
from monitor.model.verdicts import Evidence, VerdictName
from monitor.statistics.pairing import OVERALL


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict's name, why in one sentence, and what to do."""

    name: VerdictName
    summary: str
    advice: str


def judge(evidence: Sequence[Evidence], policy: Policy, *, may_page: bool = True) -> Judgement:
    """The verdict that the policy draws from the evidence.

    ``trade_off``: the broad axis fell and the compositional axis rose. Either some broad measure fell and some
    compositional one rose, each significant after correction and beyond its floor; or the leading measures of
    both whole axes did, where by intersection and union no correction is due (Berger 1982). ``regressed``: any
    gating measure fell so. ``passed``: every gating measure is shown to have lost less than its margin.
    ``inconclusive``: the rest, and every drop while ``may_page`` is false: nothing has changed but noise.
    """
    fallen = sorted((each for each in evidence if has_fallen(each, policy)), key=_difference)
    if fallen and not may_page:
        return Judgement(
            VerdictName.INCONCLUSIVE,
            f"{_sentence(fallen)} But nothing was seen to change: so far this is within the noise of replays.",
            "watch",
        )
    traded = _traded(evidence, fallen, policy) if may_page else None
    if traded:
        return Judgement(VerdictName.TRADE_OFF, _trade_off_sentence(*traded, evidence, policy), "roll back")
    if fallen:
        return Judgement(VerdictName.REGRESSED, _sentence(fallen), "roll back")
    return _judge_safety([each for each in evidence if each.gating], policy)


def refuse_coverage(share: float, suite: str, counts: Counts, policy: Policy) -> Judgement | None:
    """`invalid` if too few queries of a suite brought something back to say anything about quality."""
    if share >= policy.coverage_floor:
        return None
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.reasons.items())) or "in the baseline"
    return Judgement(
        VerdictName.INVALID,
        f"Coverage of {suite} is {share:.1%}, below the floor of {100 * policy.coverage_floor:g}% "
        f"({counts.failed} of {counts.scored + counts.failed} probes failed: {reasons}).",
        "mend the target or the connection to it; no quality was judged",
    )


def no_baseline(suites: Sequence[str]) -> Judgement:
    """Nothing to compare with yet."""
    return Judgement(
        VerdictName.INCONCLUSIVE,
        f"There is no baseline for {', '.join(suites)} yet.",
        "promote this run with `recallwatch baseline promote`, if you trust what is served now",
    )


def not_comparable(problem: str) -> Judgement:
    """The ruler moved."""
    return Judgement(VerdictName.INVALID, f"The runs cannot be compared: {problem}.", "promote a new baseline")


def digest_of(policy: Policy) -> str:
    """SHA-256 over the policy, so that a verdict shows by which rule it was reached."""
    return hashlib.sha256(json.dumps(asdict(policy), sort_keys=True).encode()).hexdigest()


def has_fallen(evidence: Evidence, policy: Policy) -> bool:
    """Whether a gating measure fell, significantly after correction and beyond both floors."""
    return evidence.gating and evidence.p_worse_adjusted <= policy.alpha_page and _is_beyond_floors(evidence, policy)


def _is_beyond_floors(evidence: Evidence, policy: Policy) -> bool:
    tolerance = policy.tolerance_of(evidence.axis, evidence.suite, evidence.stratum, evidence.measure)
    return (
        evidence.difference <= -tolerance.floor_absolute
        and not evidence.relative_difference > -tolerance.floor_relative
    )


def _has_risen(evidence: Evidence, policy: Policy) -> bool:
    return (
        evidence.gating
        and evidence.axis is Axis.COMPOSITIONAL
        and evidence.p_better_adjusted <= policy.alpha_warn
        and evidence.difference >= policy.floor_absolute
    )


def _traded(
    evidence: Sequence[Evidence], fallen: Sequence[Evidence], policy: Policy
) -> tuple[list[Evidence], Evidence] | None:
    """What fell on the broad axis, and what rose most on the compositional one, if both did."""
    broad = [each for each in fallen if each.axis is Axis.BROAD]
    risen = [each for each in evidence if _has_risen(each, policy)]
    if broad and risen:
        return broad, max(risen, key=_difference)
    leading = [each for each in evidence if each.stratum == OVERALL and each.measure == _leading(each.axis, policy)]
    lost = [each for each in leading if each.axis is Axis.BROAD and _is_beyond_floors(each, policy)]
    gained = [e for e in leading if e.axis is Axis.COMPOSITIONAL and e.difference >= policy.floor_absolute]
    for fell in lost:
        for rose in gained:
            if max(fell.p_worse, rose.p_better) <= policy.alpha_page:
                return [fell], rose
    return None


def _leading(axis: Axis, policy: Policy) -> str:
    return next(iter(policy.gating.get(axis, ())), "")


def _trade_off_sentence(broad: Sequence[Evidence], rose: Evidence, evidence: Sequence[Evidence], policy: Policy) -> str:
    """What fell, what rose, what did not move, and whether the gain is hollow."""
    others = [
        each
        for each in evidence
        if each.axis is Axis.COMPOSITIONAL and each.measure == rose.measure and each.stratum != OVERALL
    ]
    still = [each.stratum for each in others if each.gating and each.lower <= 0 <= each.upper]
    controls = [each for each in others if not each.gating and each.p_worse <= policy.alpha_warn]
    hollow = [each for each in controls if _is_beyond_floors(each, policy)]
    told = f"{_sentence(broad)} Meanwhile {_where(rose)} rose {_points(rose.difference)} points"
    if still:
        told += f"; {', '.join(still[:3])}{f' and {len(still) - 3} more' if len(still) > 3 else ''} did not move"
    if hollow:
        fell = ", ".join(f"{each.stratum} {_points(each.difference)}" for each in hollow)
        told += f"; the gain is hollow, for a control fell with it ({fell})"
    return f"{told}: this is the trade-off of training for structure."


def _judge_safety(gating: Sequence[Evidence], policy: Policy) -> Judgement:
    if not gating:
        return Judgement(
            VerdictName.INCONCLUSIVE, "No measure that the policy gates on was computed.", "check the policy"
        )
    if all(each.lower == each.upper == 0 for each in gating):
        return Judgement(VerdictName.PASSED, "Every result is what it was: nothing has changed.", "keep")
    tested = [each for each in gating if not math.isnan(each.p_worse)]
    untested = sorted({_stratum(each) for each in gating} - {_stratum(each) for each in tested})
    note = f" Not tested, for want of {policy.min_clusters} clusters: {', '.join(untested)}." if untested else ""
    if not tested:
        return Judgement(VerdictName.INCONCLUSIVE, f"Nothing could be tested.{note}", "add queries from more sources")
    unsafe = [each for each in tested if not each.p_not_safe <= policy.alpha_warn]
    worst = min(unsafe or tested, key=_difference)
    told = f"{_where(worst)} ({_points(worst.difference)} points"
    if not unsafe:
        return Judgement(
            VerdictName.PASSED,
            f"Every gating measure kept at least {1 - policy.margin:.0%} of its baseline; "
            f"the lowest is {told}{', significant' if _is_sure(worst, policy) else ''}).{note}",
            "keep",
        )
    no_drop = "No drop beyond the floors" if any(_is_sure(each, policy) for each in unsafe) else "No significant drop"
    return Judgement(
        VerdictName.INCONCLUSIVE,
        f"{no_drop}, but {len(unsafe)} of {len(tested)} gating measures are not shown to be within "
        f"{policy.margin:.0%}; the least certain is {told}, "
        f"{worst.n_queries} queries, detectable from {_points(worst.mde)}).{note}",
        "watch",
    )


def _is_sure(evidence: Evidence, policy: Policy) -> bool:
    return evidence.p_worse_adjusted <= policy.alpha_page


def _sentence(fallen: Sequence[Evidence]) -> str:
    """The widest drop there is, said with its certainty: the whole axis before a part of it."""
    overall = [each for each in fallen if each.stratum == OVERALL]
    told = min(overall or fallen, key=_difference)
    also = len(fallen) - 1
    return (
        f"{_where(told)} fell {_points(-told.difference)} points, "
        f"{told.baseline_mean:.3f} → {told.candidate_mean:.3f} "
        f"(95 % interval {_points(-told.upper)} to {_points(-told.lower)}, adjusted p = {told.p_worse_adjusted:.2g}, "
        f"{told.n_queries} queries in {told.n_clusters} clusters)"
        + (f", and {also} other measure{'s' if also > 1 else ''} with it." if also else ".")
    )


def _where(evidence: Evidence) -> str:
    return f"{_stratum(evidence)} {evidence.measure}"


def _stratum(evidence: Evidence) -> str:
    return str(evidence.axis) if evidence.stratum == OVERALL else f"{evidence.axis} {evidence.stratum}"


def _points(value: float) -> str:
    return f"{100 * value:.1f}" if math.isfinite(value) else "∞"


def _difference(evidence: Evidence) -> float:
    return evidence.difference

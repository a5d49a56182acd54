"""From evidence to a verdict, in a fixed order: trade-off, regressed, passed, inconclusive.

(`invalid` is decided before there is evidence: when the ruler moved or too little came back.)
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from monitor.model import Axis, Counts
from monitor.verdict import Evidence, Policy, VerdictName


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict's name, why in one sentence, and what to do."""

    name: VerdictName
    summary: str
    advice: str


def judge(evidence: Sequence[Evidence], policy: Policy) -> Judgement:
    """The verdict that the policy draws from the evidence.

    ``trade_off``: the broad axis fell and a compositional stratum rose, each significant after correction
    and beyond the floor. ``regressed``: any gating measure fell so. ``passed``: every gating measure is
    shown to have lost less than the margin. ``inconclusive``: the rest.
    """
    fallen = sorted((each for each in evidence if has_fallen(each, policy)), key=_difference)
    risen = [each for each in evidence if _has_risen(each, policy)]
    broad = [each for each in fallen if each.axis is Axis.BROAD]
    if broad and risen:
        best = max(risen, key=_difference)
        return Judgement(
            VerdictName.TRADE_OFF,
            f"{_sentence(broad)} Meanwhile {_where(best)} rose {_points(best.difference)} points: "
            "this is the trade-off of training for structure.",
            "roll back",
        )
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
        f"Coverage of {suite} is {share:.1%}, below the floor of {policy.coverage_floor:.0%} "
        f"({counts.failed} of {counts.attempted} probes failed: {reasons}).",
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
    return (
        evidence.gating
        and evidence.p_worse_adjusted <= policy.alpha_page
        and evidence.difference <= -policy.floor_absolute
        and not evidence.relative_difference > -policy.floor_relative
    )


def _has_risen(evidence: Evidence, policy: Policy) -> bool:
    return (
        evidence.gating
        and evidence.axis is Axis.COMPOSITIONAL
        and evidence.p_better_adjusted <= policy.alpha_warn
        and evidence.difference >= policy.floor_absolute
    )


def _judge_safety(gating: Sequence[Evidence], policy: Policy) -> Judgement:
    if not gating:
        return Judgement(
            VerdictName.INCONCLUSIVE, "No measure that the policy gates on was computed.", "check the policy"
        )
    if all(each.lower == each.upper == 0 for each in gating):
        return Judgement(VerdictName.PASSED, "Every result is what it was: nothing has changed.", "keep")
    unsafe = [each for each in gating if not each.p_not_safe <= policy.alpha_warn]
    if not unsafe:
        return Judgement(
            VerdictName.PASSED,
            f"Every gating measure kept at least {1 - policy.margin:.0%} of its baseline; {_noted(gating)}.",
            "keep",
        )
    worst = min(unsafe, key=_difference)
    return Judgement(
        VerdictName.INCONCLUSIVE,
        f"No significant drop, but {len(unsafe)} of {len(gating)} gating measures are not shown to be within "
        f"{policy.margin:.0%}; the least certain is {_where(worst)} ({_points(worst.difference)} points, "
        f"{worst.n_queries} queries, detectable from {_points(worst.mde)}).",
        "watch",
    )


def _noted(gating: Sequence[Evidence]) -> str:
    worst = min(gating, key=_difference)
    return f"the lowest is {_where(worst)} with {_points(worst.difference)} points"


def _sentence(fallen: Sequence[Evidence]) -> str:
    """The widest drop there is, said with its certainty: the whole axis before a part of it."""
    overall = [each for each in fallen if each.stratum == "overall"]
    told = min(overall or fallen, key=_difference)
    also = len(fallen) - 1
    return (
        f"{_where(told)} fell {_points(-told.difference)} points, "
        f"{told.baseline_mean:.3f} → {told.candidate_mean:.3f} "
        f"(95 % interval {_points(-told.upper)} to {_points(-told.lower)}, adjusted p = {told.p_worse_adjusted:.2g}, "
        f"{told.n_queries} queries in {told.n_clusters} clusters)"
        + (f", and {also} other measures with it." if also else ".")
    )


def _where(evidence: Evidence) -> str:
    stratum = "" if evidence.stratum == "overall" else f" {evidence.stratum}"
    return f"{evidence.axis}{stratum} {evidence.measure}"


def _points(value: float) -> str:
    return f"{100 * value:.1f}" if math.isfinite(value) else "∞"


def _difference(evidence: Evidence) -> float:
    return evidence.difference

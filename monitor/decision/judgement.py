"""From evidence to a verdict, in a fixed order: trade-off, regressed, passed, inconclusive.

`invalid` comes before: the runs cannot be compared, or too few probes succeeded.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from monitor.decision import sentences
from monitor.decision.trade_off import find_trade_off, is_beyond_floors
from monitor.model.policies import Policy
from monitor.model.runs import Counts
from monitor.model.verdicts import AxisSafety, Evidence, VerdictName
from monitor.statistics.pairing import OVERALL


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict's name, the reason in a sentence or two, and the advice."""

    name: VerdictName
    summary: str
    advice: str


def mark(evidence: Sequence[Evidence], step: Sequence[Evidence], policy: Policy) -> tuple[Evidence, ...]:
    """The evidence, marked as fallen where it pages, and as watched where it fell but not enough to page.

    Without a ``step``, a gating measure fell if it is significant after correction and beyond both floors. At a swap
    ``step`` holds the same comparison with the run before it. Each of the two comparisons is then tested at half the
    level, which holds the level of both together, and a measure fell if

    * it is significant in one of them, and the other points the same way beyond the floors; or
    * it is significant against the baseline by more than the margin: many small steps add up to a large drop.
    """
    before = {_key(each): each for each in step}
    return tuple(
        replace(each, fallen=fell, watched=not fell and _is_watched(each, policy))
        for each in evidence
        for fell in [_has_fallen_at_swap(each, before.get(_key(each)), policy)]
    )


def has_fallen(evidence: Evidence, policy: Policy) -> bool:
    """Whether a gating measure fell, significantly after correction and beyond both floors."""
    return _is_significant(evidence, policy.alpha_page) and is_beyond_floors(evidence, policy)


def judge(
    evidence: Sequence[Evidence],
    safety: Sequence[AxisSafety],
    policy: Policy,
    *,
    may_page: bool = True,
    model_changed: bool = False,
) -> Judgement:
    """The verdict that the policy draws from marked evidence.

    ``trade_off``: structure gained while broad retrieval lost. ``regressed``: a gating measure fell. ``passed``: every
    gating measure of each axis is within its margin, and no stratum is likely to have lost its own.
    ``inconclusive``: everything else, and every drop while ``may_page`` is false, because nothing changed beyond noise
    and churn. The advice is ``watch`` where something fell beyond its floors, but not significantly enough to page.
    """
    fallen = sorted((each for each in evidence if each.fallen), key=lambda each: each.difference)
    watched = sorted((each for each in evidence if each.watched), key=lambda each: each.difference)
    if fallen and not may_page:
        return Judgement(VerdictName.INCONCLUSIVE, sentences.within_noise(fallen), "watch")
    trade_off = find_trade_off(evidence, policy) if may_page else None
    if trade_off:
        words = sentences.trade_off(trade_off, evidence, model_changed=model_changed)
        return Judgement(VerdictName.TRADE_OFF, words, "roll back")
    gains = sentences.gains(_improved_axes(evidence, policy) if may_page else ())
    if fallen:
        return Judgement(VerdictName.REGRESSED, f"{sentences.drop(fallen)}{gains}", "roll back")
    judgement = _judge_safety([each for each in evidence if each.gating], safety, watched, policy)
    return replace(judgement, summary=f"{judgement.summary}{gains}")


def refuse_coverage(share: float, suite: str, counts: Counts, policy: Policy) -> Judgement | None:
    """`invalid` if too few queries of a suite returned results to judge quality."""
    if share >= policy.coverage_floor:
        return None
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.reasons.items())) or "in the baseline"
    return Judgement(
        VerdictName.INVALID,
        f"Coverage of {suite} is {share:.1%}, below the floor of {100 * policy.coverage_floor:g}% "
        f"({counts.failed} of {counts.scored + counts.failed} probes failed: {reasons}).",
        "fix the target or its connection; quality was not evaluated",
    )


def no_baseline(suites: Sequence[str]) -> Judgement:
    """There is no baseline to compare with."""
    return Judgement(
        VerdictName.INCONCLUSIVE,
        f"There is no baseline for {', '.join(suites)} yet.",
        "promote this run with `recallwatch baseline promote` if you trust the current deployment",
    )


def not_comparable(problem: str) -> Judgement:
    """The runs used different suites, cutoffs or corpora."""
    return Judgement(VerdictName.INVALID, f"The runs cannot be compared: {problem}.", "promote a new baseline")


def no_room(reasons: Sequence[str]) -> Judgement:
    """No measure of a suite can fall, so that no drop could page."""
    return Judgement(
        VerdictName.INVALID,
        f"{'. '.join(reasons)}.",
        "compare the ids of the target and the suite with `recallwatch check`; no drop could page",
    )


def digest_of(policy: Policy) -> str:
    """SHA-256 over the policy, which identifies the rule behind a verdict."""
    return hashlib.sha256(json.dumps(asdict(policy), sort_keys=True).encode()).hexdigest()


def _key(evidence: Evidence) -> tuple[str, str, str]:
    return evidence.suite, evidence.stratum, evidence.measure


def _is_significant(evidence: Evidence, alpha: float) -> bool:
    return evidence.gating and evidence.p_worse_adjusted <= alpha


def _has_fallen_at_swap(evidence: Evidence, step: Evidence | None, policy: Policy) -> bool:
    if step is None:
        return has_fallen(evidence, policy)
    if not is_beyond_floors(evidence, policy):
        return False
    half = policy.alpha_page / 2
    if _is_significant(step, half) and is_beyond_floors(step, policy):
        return True
    if not _is_significant(evidence, half):
        return False
    margin = policy.tolerance_of(evidence.axis, evidence.suite, evidence.stratum, evidence.measure).margin
    return is_beyond_floors(step, policy) or evidence.relative_difference < -margin


def _is_watched(evidence: Evidence, policy: Policy) -> bool:
    return _is_significant(evidence, policy.alpha_warn) and is_beyond_floors(evidence, policy)


def _improved_axes(evidence: Sequence[Evidence], policy: Policy) -> tuple[Evidence, ...]:
    """The largest rise of each whole axis that is significant after correction and beyond both floors."""
    risen = [
        each
        for each in evidence
        if each.gating
        and each.stratum == OVERALL
        and each.p_better_adjusted <= policy.alpha_page
        and is_beyond_floors(each, policy, rise=True)
    ]
    largest = {each.axis: each for each in sorted(risen, key=lambda each: each.relative_difference)}
    return tuple(largest.values())


def _judge_safety(
    gating: Sequence[Evidence], safety: Sequence[AxisSafety], watched: Sequence[Evidence], policy: Policy
) -> Judgement:
    """`passed` or `inconclusive`, where nothing fell."""
    if not safety:
        return Judgement(
            VerdictName.INCONCLUSIVE, "No measure that the policy gates on was computed.", "check the policy"
        )
    tested = [each for each in gating if not math.isnan(each.lower)]
    if tested and all(each.lower == each.upper == 0 for each in tested):  # the axes cover strata without an interval
        return Judgement(VerdictName.PASSED, "Every result equals the baseline's.", "keep")
    note = sentences.untested(gating, policy)
    if all(each.p_value != each.p_value for each in safety):
        return Judgement(VerdictName.INCONCLUSIVE, f"Nothing could be tested.{note}", "add queries from more sources")
    unsafe = [each for each in safety if not each.is_safe]
    if not unsafe and not watched:
        return Judgement(VerdictName.PASSED, f"{sentences.all_safe(gating, safety, policy)}{note}", "keep")
    if watched:
        return Judgement(VerdictName.INCONCLUSIVE, f"{sentences.watch(watched, policy)}{note}", "watch")
    return Judgement(
        VerdictName.INCONCLUSIVE, f"{sentences.inconclusive(gating, unsafe, safety, policy)}{note}", "watch"
    )

"""Whether the answers of two runs can be compared: enough succeeded, and one unchanged judge graded them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from monitor.errors import ComparisonError
from monitor.evaluation.measures import ANSWER_MEASURES, names
from monitor.model.measurements import Measured
from monitor.model.measures import Needs
from monitor.model.policies import Policy

ALPHA_DRIFT = 0.01
_GRADED = frozenset(names(Needs.JUDGE))
"""Measures from the grades of a judge."""
FEWEST_ANCHORS = 10


class Drift(NamedTuple):
    """Mean grade of frozen answers now minus the mean grade then, in [-1, 1]."""

    difference: float
    lower: float
    upper: float

    @property
    def has_moved(self) -> bool:
        """Whether the interval excludes zero: the change of its grades is then one of the judge, not of the answers."""
        return self.lower > 0 or self.upper < 0


def judge_drift(anchors: Sequence[tuple[float, float]]) -> Drift | None:
    """The change of a judge on the same answers, with a 99 % t interval; None with fewer than ten answers.

    Examples
    --------
    >>> judge_drift([(0.8, 0.8)] * 9) is None
    True
    >>> judge_drift([(0.8, 0.6), (0.7, 0.5), (0.9, 0.8)] * 5).has_moved
    True
    """
    if len(anchors) < FEWEST_ANCHORS:
        return None
    differences = np.array([now - then for then, now in anchors])
    spread = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    half = float(stdtrit(len(differences) - 1, 1 - ALPHA_DRIFT / 2)) * spread
    mean = float(differences.mean())
    return Drift(mean, mean - half, mean + half)


def unjudged_answers(measured: Measured, policy: Policy) -> str:
    """The reason why the answers of a run are not judged; empty if they are, or if none was requested."""
    replies = measured.replies
    if replies is None or replies.coverage >= policy.coverage_floor:
        return ""
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(replies.reasons.items()))
    return (
        f"The answers to {measured.suite.name} were not judged: {replies.failed} of {replies.scored + replies.failed} "
        f"failed ({reasons})."
    )


def answers_out_of_measure(baseline: Measured, candidate: Measured, policy: Policy) -> frozenset[str]:
    """Measures of answers that are not comparable between two runs. Raises ComparisonError if the judge changed."""
    if unjudged_answers(baseline, policy) or unjudged_answers(candidate, policy):
        return frozenset(ANSWER_MEASURES)
    before, after = baseline.run.judge, candidate.run.judge
    if not before or not after:
        return frozenset()
    if before == after:
        drift = judge_drift(candidate.run.anchors)
        return _GRADED if drift and drift.has_moved else frozenset()
    if not _GRADED.isdisjoint(policy.gating.get(candidate.suite.axis, ())):
        raise ComparisonError(
            f"the answers to {candidate.suite.name} were graded by another judge ({before:.12} → {after:.12}): "
            "promote a run graded by the new one with `recallwatch baseline promote`"
        )
    return _GRADED

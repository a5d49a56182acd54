"""Calibration of a context replay: its answers, compared with the live answers from the same contexts.

A replay sends contexts through a request of its own. If the live service uses another prompt, shortens the contexts,
rewrites the query or returns cached answers, the replay does not show how the live answers depend on retrieval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from monitor.diagnosis.share_intervals import Part, estimate, paired_scores

BOUND = 0.05
"""Largest bias, in points of the score, with which a change is attributed."""
SAME_ANSWERS = 0.9
"""From this share of equal answers to contexts of other queries, the answerer is taken to ignore the contexts."""
FEWEST_CONTROLS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Mean difference between replayed and live scores of one generator with the same contexts (an A/A comparison)."""

    bias: float
    """Replayed minus live, in [-1, 1]."""
    lower: float
    upper: float
    n_queries: int

    @property
    def is_within_bound(self) -> bool:
        """Whether the bias is at most `BOUND`."""
        return abs(self.bias) <= BOUND

    @property
    def sentence(self) -> str:
        """The bias in plain words, and the consequence if it is too large."""
        points = f"{100 * abs(self.bias):.1f} points {'higher' if self.bias >= 0 else 'lower'}"
        bias = f"with the same contexts, replayed answers score {points} than live ones"
        if self.is_within_bound:
            return bias
        return (
            f"{bias}, and at most {100 * BOUND:g} are allowed: the live service uses another prompt, shortens the "
            "contexts, rewrites the query or returns stored answers, so the change is not attributed by replay"
        )


def calibration(live: ArrayLike, replayed: ArrayLike, cluster: ArrayLike, *, confidence: float = 0.95) -> Calibration:
    """The bias of replayed scores: one generator, the same contexts, shape (n_queries,) in [0, 1] each.

    Raises ValueError and ComparisonError as `monitor.diagnosis.attribution.kitagawa` does.

    Examples
    --------
    >>> round(calibration([1, 1, 0, 0], [1, 1, 0, 0.1], range(4)).bias, 3)
    0.025
    """
    scores = paired_scores(live, replayed, cluster)
    bias, lower, upper = estimate(scores, Part(values=scores.differences), confidence=confidence)
    return Calibration(bias=bias, lower=lower, upper=upper, n_queries=scores.n_queries)


def ignores_contexts(own: Sequence[str], foreign: Sequence[str]) -> bool:
    """Whether the answers from the contexts of other queries equal those from a query's own contexts.

    Examples
    --------
    >>> ignores_contexts(["1912"] * 9 + ["in May"], ["1912"] * 9 + ["no idea"])
    True
    """
    same = sum(mine == other for mine, other in zip(own, foreign, strict=True))
    return len(own) >= FEWEST_CONTROLS and same >= SAME_ANSWERS * len(own)

"""The scale of the scores of a run: whether their differences mean a difference of similarity.

A mean or a margin of scores needs a linear scale. Rank fusion, reranking and some services return other numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache

import numpy as np

from monitor.model.measurements import Floats
from monitor.model.runs import Ranking

_SAMPLE = 100
"""Rankings that are examined."""
_SHARE = 0.9
"""Share of the examined rankings, or of their scores, that decides."""
_DIGITS = 1e-6
"""Relative tolerance: the precision of scores in 32 bits, with a margin."""
_FEWEST = 4
"""Different scores that are needed to recognise fusion: a few round similarities are sums of reciprocals by chance."""
_TINY = 1e-150
"""Scores below have no finite reciprocal worth looking at."""
_DEEPEST_OF_TWO, _DEEPEST_OF_THREE, _RANK_CONSTANT = 1_000, 160, 60


class ScoreScale(StrEnum):
    """How the scores of a run relate to the similarity of query and document."""

    SIMILARITY = "similarity"
    """Scores fall with the rank; differences are taken as differences of similarity."""
    DISTANCE = "distance"
    """Scores rise with the rank; their negative is taken as a similarity."""
    RANKS = "ranks"
    """Scores follow from the rank alone, such as 1/rank or the number of the hit."""
    FUSED = "fused"
    """Reciprocal rank fusion: sums of 1/(k + rank)."""
    UNORDERED = "unordered"
    """Scores neither fall nor rise with the rank: hits were reranked by another score."""
    UNKNOWN = "unknown"
    """No ranking has two different scores."""

    @property
    def is_linear(self) -> bool:
        """Whether a difference of scores can be taken as a difference of similarity."""
        return self in (ScoreScale.SIMILARITY, ScoreScale.DISTANCE)


def score_scale(rankings: Iterable[Ranking]) -> ScoreScale:
    """The scale of the scores of these rankings, from the first hundred with two different scores.

    Not recognised are weighted or rescaled fusion, sums of normalised scores, and probabilities of a reranker that
    sorts by them: their scores fall with the rank like similarities.

    References
    ----------
    Cormack, Clarke & Buettcher 2009, reciprocal rank fusion.

    Examples
    --------
    >>> cosines = Ranking(doc_ids=("a", "b", "c"), scores=(0.71, 0.66, 0.42))
    >>> by_rank = Ranking(doc_ids=("a", "b", "c"), scores=(1 / 61, 1 / 62, 1 / 63))
    >>> score_scale([cosines]).value, score_scale([by_rank]).value
    ('similarity', 'ranks')
    """
    columns = _different(rankings)
    if not columns:
        return ScoreScale.UNKNOWN
    falling = sum(_is_falling(scores) for scores in columns) / len(columns)
    rising = sum(_is_falling(-scores) for scores in columns) / len(columns)
    if max(falling, rising) < _SHARE:
        return ScoreScale.UNORDERED
    if _follow_ranks(columns):
        return ScoreScale.RANKS
    if _is_fused(np.concatenate(columns)):
        return ScoreScale.FUSED
    return ScoreScale.SIMILARITY if falling >= rising else ScoreScale.DISTANCE


def _different(rankings: Iterable[Ranking]) -> list[Floats]:
    """The scores of the first rankings in which at least two differ."""
    columns: list[Floats] = []
    for ranking in rankings:
        scores = np.array(ranking.scores or (), np.float64)
        if len(scores) > 1 and np.isfinite(scores).all() and np.ptp(scores) > 0:
            columns.append(scores)
        if len(columns) == _SAMPLE:
            break
    return columns


def _is_falling(scores: Floats) -> bool:
    return bool((np.diff(scores) <= _DIGITS * np.ptp(scores)).all())


def _follow_ranks(columns: Sequence[Floats]) -> bool:
    """Whether scores are the same at each rank of every query, or scores or their reciprocals are evenly spaced."""
    long = [scores for scores in columns if len(scores) > 2]
    if not long:
        return False
    length = min(map(len, long))
    rows = np.array([scores[:length] for scores in long])
    if len(long) > 2 and np.allclose(rows, rows[0], rtol=_DIGITS, atol=0.0):
        return True
    even = sum(_is_even(scores) or ((scores > _TINY).all() and _is_even(1.0 / scores)) for scores in long)
    return bool(even >= _SHARE * len(long))


def _is_even(values: Floats) -> bool:
    steps = np.diff(values)
    rounding = _DIGITS * float(np.abs(values).max())
    return abs(float(steps.mean())) > rounding and bool((np.abs(steps - steps.mean()) <= rounding).all())


def _is_fused(scores: Floats) -> bool:
    """Whether nearly all scores are sums of one to three reciprocals of whole numbers, k + rank of each list."""
    scores = np.unique(scores)
    if len(scores) < _FEWEST or scores.min() <= 0.0 or scores.max() > 2.0:
        return False
    if _share_among(scores, _sums_of_two()) >= _SHARE:
        return True
    return float(scores.max()) <= 3.0 / _RANK_CONSTANT and _share_among(scores, _sums_of_three()) >= _SHARE


def _share_among(scores: Floats, sums: Floats) -> float:
    """Share of the scores that equal one of the sorted sums."""
    right = np.searchsorted(sums, scores).clip(1, len(sums) - 1)
    distance = np.minimum(np.abs(sums[right] - scores), np.abs(scores - sums[right - 1]))
    return float((distance <= _DIGITS / 10 * scores).mean())


@cache
def _sums_of_two() -> Floats:
    """1/m and 1/m + 1/n for whole numbers up to 1,000, sorted."""
    single = 1.0 / np.arange(1, _DEEPEST_OF_TWO + 1)
    sums = np.add.outer(single, single)[np.triu_indices(len(single))]
    return np.sort(np.concatenate([single, sums]))


@cache
def _sums_of_three() -> Floats:
    """Sums of up to three of 1/60 … 1/160, sorted."""
    single = 1.0 / np.arange(_RANK_CONSTANT, _DEEPEST_OF_THREE + 1)
    two = np.add.outer(single, single)[np.triu_indices(len(single))]
    return np.sort(np.concatenate([single, two, np.add.outer(two, single).ravel()]))

"""Scores of similarity are told from ranks, fused ranks and the scores of another ranking."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from monitor.evaluation.score_scale import ScoreScale, score_scale
from monitor.model.runs import Ranking

Row = Sequence[float]


def rankings(rows: Sequence[Row]) -> list[Ranking]:
    """One ranking for each row of scores."""
    return [Ranking(doc_ids=tuple(f"d{n}" for n in range(len(row))), scores=tuple(map(float, row))) for row in rows]


def fused(rng: np.random.Generator, *, lists: int, constant: int, depth: int = 50) -> list[float]:
    """Reciprocal rank fusion of lists that share part of their documents, best first."""
    totals: dict[int, float] = {}
    for _ in range(lists):
        for rank, document in enumerate(rng.permutation(2 * depth)[:depth].tolist(), 1):
            totals[document] = totals.get(document, 0.0) + 1 / (constant + rank)
    return sorted(totals.values(), reverse=True)[:20]


def cosine(rng: np.random.Generator) -> np.ndarray:
    """Twenty similarities, best first."""
    return -np.sort(-rng.normal(0.45, 0.1, size=20))


SCALES: dict[str, tuple[ScoreScale, Callable[[np.random.Generator], Row]]] = {
    "cosines": (ScoreScale.SIMILARITY, cosine),
    "cosines of 32 bits": (ScoreScale.SIMILARITY, lambda rng: cosine(rng).astype(np.float32)),
    "cosines of four digits": (ScoreScale.SIMILARITY, lambda rng: cosine(rng).round(4)),
    "small scores": (ScoreScale.SIMILARITY, lambda rng: -np.sort(-rng.uniform(0.002, 0.03, size=20))),
    "BM25": (ScoreScale.SIMILARITY, lambda rng: -np.sort(-rng.gamma(5.0, 3.0, size=20))),
    "negative inner products": (ScoreScale.SIMILARITY, lambda rng: cosine(rng) - 5.0),
    "distances": (ScoreScale.DISTANCE, lambda rng: 1 - cosine(rng)),
    "number of the hit": (ScoreScale.RANKS, lambda rng: np.arange(rng.integers(5, 20), 0, -1)),
    "reciprocal rank": (ScoreScale.RANKS, lambda rng: 1 / np.arange(1, rng.integers(5, 20))),
    "discount of a rank": (ScoreScale.RANKS, lambda _: 1 / np.log2(np.arange(2, 22))),
    "fusion of one list": (ScoreScale.RANKS, lambda rng: fused(rng, lists=1, constant=60)),
    "fusion of two lists": (ScoreScale.FUSED, lambda rng: fused(rng, lists=2, constant=60)),
    "fusion of two lists, another constant": (ScoreScale.FUSED, lambda rng: fused(rng, lists=2, constant=1)),
    "fusion of two lists in 32 bits": (
        ScoreScale.FUSED,
        lambda rng: np.float32(fused(rng, lists=2, constant=60)).astype(np.float64),
    ),
    "fusion of three lists": (ScoreScale.FUSED, lambda rng: fused(rng, lists=3, constant=60)),
    "scores before reranking": (ScoreScale.UNORDERED, lambda rng: rng.permutation(cosine(rng))),
    "equal scores": (ScoreScale.UNKNOWN, lambda _: [0.5] * 20),
}


@pytest.mark.parametrize(("expected", "row"), SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("n_queries", [3, 40])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_scale_is_recognised(
    expected: ScoreScale, row: Callable[[np.random.Generator], Row], n_queries: int, seed: int
):
    """Each kind of score has its scale, from few queries and from many."""
    rng = np.random.default_rng(seed)
    rows = [row(rng) for _ in range(n_queries)]
    assert score_scale(rankings(rows)) is expected


def test_without_scores_the_scale_is_unknown():
    """Rankings without scores, or with one hit, have no scale."""
    assert score_scale([Ranking(doc_ids=("a", "b")), Ranking(doc_ids=("a",), scores=(0.5,))]) is ScoreScale.UNKNOWN
    assert score_scale([]) is ScoreScale.UNKNOWN


def test_a_few_tied_queries_do_not_change_the_scale():
    """Queries whose scores are all equal are not examined."""
    rng = np.random.default_rng(0)
    assert score_scale(rankings([[0.5] * 5, *(cosine(rng) for _ in range(5))])) is ScoreScale.SIMILARITY


@pytest.mark.parametrize("scale", ScoreScale)
def test_only_similarities_and_distances_are_linear(scale: ScoreScale):
    """Separation needs one of these two."""
    assert scale.is_linear == (scale in {ScoreScale.SIMILARITY, ScoreScale.DISTANCE})

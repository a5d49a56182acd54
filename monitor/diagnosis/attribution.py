"""Attribution of a change of answer scores to retrieval, generation and the judge, in shares that add up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from monitor.diagnosis.share_intervals import Anchors, Part, attribution, checked, estimate, paired_scores
from monitor.diagnosis.shares import KITAGAWA, REPLAY, Attribution, Ceiling, Component, Share
from monitor.model.measurements import Floats

__all__ = ["Anchors", "Attribution", "Ceiling", "Component", "Share", "ceiling", "from_replay", "kitagawa"]


def kitagawa(
    before: ArrayLike,
    after: ArrayLike,
    found_before: ArrayLike,
    found_after: ArrayLike,
    cluster: ArrayLike,
    *,
    anchors: Anchors | None = None,
    confidence: float = 0.95,
) -> Attribution:
    """Change of the mean answer score, after minus before, paired by query, as shares of retrieval and generation.

    Let p be the share of queries with retrieved evidence, u and w the mean scores with and without it, Δ a change and
    a bar the mean of both runs: retrieval = Δp·(ū − w̄), generation = Δu·p̄ + Δw·(1 − p̄). The shares add up to the
    change, and exchanging the runs exchanges the signs. A cell without queries has the mean of the other run. If the
    evidence of harder queries is lost, the effect on u and w counts as generation; a replay
    (`from_replay`) does not have this bias.

    Parameters
    ----------
    before, after
        Answer scores in [0, 1], shape (n_queries,), without queries that failed in either run.
    found_before, found_after
        Whether all evidence was retrieved, same shape.
    cluster
        Cluster of each query, same shape. Clusters are the units of the intervals.
    anchors
        Scores of frozen answers; the share of the judge is subtracted from that of generation, as if its shift were
        equal on all answers.

    Raises
    ------
    ValueError, ComparisonError
        If shapes differ, or a score is missing or outside [0, 1]; if there is no query, or no anchor.

    References
    ----------
    Kitagawa 1955, “Components of a difference between two rates”; Blinder 1973; Oaxaca 1973.

    Examples
    --------
    >>> found_before, found_after = [True] * 4 + [False], [True] * 2 + [False] * 3
    >>> change = kitagawa([1, 1, 1, 1, 0], [1, 1, 0, 0, 0], found_before, found_after, range(5))
    >>> [(str(share.name), round(share.difference, 3)) for share in change.shares]
    [('retrieval', -0.4), ('generation', 0.0)]
    """
    answers = paired_scores(before, after, cluster)
    retrieved = np.stack([_flags(each, answers.n_queries) for each in (found_before, found_after)])
    parts, note = _observed(np.stack([answers.baseline, answers.candidate]), retrieved)
    return attribution(KITAGAWA, answers, parts, note, anchors, confidence)


def from_replay(
    before: ArrayLike,
    after: ArrayLike,
    effects: Sequence[ArrayLike],
    cluster: ArrayLike,
    *,
    regraded: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Attribution:
    """Change of the mean live score, with the part of retrieval measured by replays of the contexts.

    A generator answers from the old and from the new contexts through the same request. The difference of the scores
    is the effect of retrieval. The rest of the change, without the part of the judge, belongs to generation.

    Parameters
    ----------
    before, after
        Live scores in [0, 1], shape (n_queries,).
    effects
        For each generator: score with the new contexts minus score with the old ones, shape (n_queries,). Their mean
        is the part of retrieval; with both generators it is the Shapley value.
    cluster, regraded
        Cluster of each query; scores of the earlier answers by the present judge, without which it has no part.

    Raises
    ------
    ValueError, ComparisonError
        As `kitagawa`.

    Examples
    --------
    The request scores lower than the live one by a half, and still all of the drop is retrieval's:

    >>> change = from_replay([1, 1, 1, 1], [1, 1, 0.5, 0.5], [[0, 0, -0.5, -0.5]], range(4))
    >>> [(str(share.name), share.difference) for share in change.shares]
    [('retrieval', -0.25), ('generation', 0.0)]
    """
    answers = paired_scores(before, after, cluster)
    parts = {Component.RETRIEVAL: np.mean([_effect(each, answers.n_queries) for each in effects], axis=0)}
    judge = np.zeros(answers.n_queries)
    if regraded is not None:
        judge = checked(regraded, answers.n_queries) - answers.baseline
    parts[Component.GENERATION] = answers.differences - parts[Component.RETRIEVAL] - judge
    if regraded is not None:
        parts[Component.JUDGE] = judge
    note = "" if len(effects) > 1 else "replayed with the present generator alone"
    return attribution(
        REPLAY, answers, {name: Part(values=values) for name, values in parts.items()}, note, None, confidence
    )


def ceiling(
    oracle: ArrayLike, before: ArrayLike, after: ArrayLike, cluster: ArrayLike, *, confidence: float = 0.95
) -> Ceiling:
    """The mean score of a generator with oracle contexts, and the losses from the old and the new retrieved contexts.

    All are scores in [0, 1] of one generator on the same queries, shape (n_queries,). The losses are negative; their
    difference, after minus before, is the share of retrieval on the path that replaces generation first.
    Raises ValueError and ComparisonError as `kitagawa` does.

    Examples
    --------
    >>> best = ceiling([1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], range(4))
    >>> best.mean, best.left_before.difference, best.left_after.difference
    (0.75, -0.25, -0.5)
    """
    old, new = paired_scores(oracle, before, cluster), paired_scores(oracle, after, cluster)
    mean, lower, upper = estimate(old, Part(values=old.baseline), confidence=confidence)
    left_before, left_after = (
        Share(Component.RETRIEVAL, *estimate(scores, Part(values=scores.differences), confidence=confidence))
        for scores in (old, new)
    )
    return Ceiling(mean=mean, lower=lower, upper=upper, left_before=left_before, left_after=left_after)


def _observed(scores: Floats, retrieved: Floats) -> tuple[dict[Component, Part], str]:
    """Kitagawa's shares as values for each query; both arguments have shape (before and after, n_queries)."""
    cells = np.stack([retrieved, 1 - retrieved])  # [retrieved or missed, before or after, query]
    counts = cells.sum(axis=2)
    divisors = np.maximum(counts, 1)
    means = (cells * scores).sum(axis=2) / divisors
    means = np.where(counts > 0, means, means[:, ::-1])
    weights, changes, gap = cells.mean(axis=(1, 2)), np.diff(means)[:, 0], np.subtract(*means.mean(axis=1))
    moved = np.diff(retrieved.mean(axis=1))[0]
    has_changed = np.any(scores[0] != scores[1]) or np.any(retrieved[0] != retrieved[1])
    slopes = {  # the shares' derivatives by the four means
        Component.RETRIEVAL: np.outer([moved / 2, -moved / 2], [1, 1]),
        Component.GENERATION: np.outer(weights, [-1, 1]),
    }
    exact = {
        Component.RETRIEVAL: gap * np.diff(retrieved, axis=0)[0],
        Component.GENERATION: changes @ cells.mean(axis=1),
    }
    deviations = cells * (scores - means[:, :, None]) * (retrieved.shape[1] / divisors)[:, :, None]
    # The mean of a few queries is uncertain: the variance includes one more query with the most extreme score.
    # Beyond half the way to 0 or 1, a t interval would leave the range of the scores.
    worst = has_changed * (counts > 0) * np.maximum(means, 1 - means) / np.maximum(counts, 2)
    reach = has_changed * (counts == 0) * np.stack([-means, 1 - means])
    return {
        name: Part(
            values=exact[name] + (slope[:, :, None] * deviations).sum(axis=(0, 1)),
            extra=float(((slope * worst) ** 2).sum()),
            reach=(float((slope * reach).min(axis=0).sum()), float((slope * reach).max(axis=0).sum())),
            ruler=float(name is Component.GENERATION),
            estimated=1,  # the means with and without the evidence
        )
        for name, slope in slopes.items()
    }, "; ".join(_unidentified(counts))


def _effect(values: ArrayLike, count: int) -> Floats:
    effect = np.asarray(values, dtype=np.float64)
    if effect.shape != (count,) or not (np.abs(effect) <= 1).all():
        raise ValueError(f"an effect needs one difference in [-1, 1] for each of {count} queries")
    return effect


def _flags(values: ArrayLike, count: int) -> Floats:
    flags = checked(values, count)
    if not np.isin(flags, (0.0, 1.0)).all():
        raise ValueError("found_before and found_after must be true or false for each query")
    return flags


def _unidentified(counts: Floats) -> Iterator[str]:
    """Notes on the effects that the empty cells of the four leave unidentified."""
    for (before, after), extent, use in zip(counts, ("no", "every"), ("with it", "without it"), strict=True):
        if before == after == 0:
            yield f"the evidence of {extent} query was retrieved in both runs, so retrieval has no part in the change"
        elif min(before, after) == 0:
            run, other = ("before", "now") if before == 0 else ("now", "before")
            yield (
                f"{run} the evidence of {extent} query was retrieved: the score {use} is unknown, is assumed to equal "
                f"the one {other}, and the intervals allow any score from 0 to 1"
            )

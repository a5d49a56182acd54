"""Who is to blame for a change of the answers: retrieval, generation, or the judge; shares that add up to the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike

from monitor.diagnosis.share_intervals import Anchors, Part, attribution, checked, estimate, paired_scores
from monitor.diagnosis.shares import KITAGAWA, PATH, SHAPLEY, Attribution, Ceiling, Component, Share
from monitor.errors import ComparisonError
from monitor.model.measurements import Floats

__all__ = ["Anchors", "Attribution", "Ceiling", "Component", "Share", "ceiling", "kitagawa", "shapley"]


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
    """Change of the mean answer score, after minus before, paired by query: what was found, and what was made of it.

    With p the share of queries whose evidence was found, u and w the mean scores with and without it, Δ a change and
    a bar the mean of both runs: retrieval = Δp·(ū − w̄), generation = Δu·p̄ + Δw·(1 − p̄). Nothing is left over, and
    exchanging the runs exchanges the signs. A cell without queries has the mean of the other run. If it is the harder
    queries whose evidence is lost, what that does to u and w counts as generation's; `shapley` has no such weakness.

    Parameters
    ----------
    before, after
        Answer scores in [0, 1], shape (n_queries,); a query that failed in either run is in neither.
    found_before, found_after
        Whether retrieval found all the evidence, same shape.
    cluster
        Each query's cluster, same shape. Clusters are the units of the intervals.
    anchors
        The judge's share: taken out of generation's, as if the judge had moved by as much on every answer.

    Raises
    ------
    ValueError
        If shapes differ, or a score is missing or outside [0, 1].
    ComparisonError
        If there is no query, or no anchor.

    References
    ----------
    Kitagawa 1955, “Components of a difference between two rates”; Blinder 1973; Oaxaca 1973.

    Examples
    --------
    >>> found_before, found_after = [True] * 4 + [False], [True] * 2 + [False] * 3
    >>> blame = kitagawa([1, 1, 1, 1, 0], [1, 1, 0, 0, 0], found_before, found_after, range(5))
    >>> [(str(each.name), round(each.difference, 3)) for each in blame.shares]
    [('retrieval', -0.4), ('generation', 0.0)]
    """
    answers = paired_scores(before, after, cluster)
    found = np.stack([_flags(each, answers.n_queries) for each in (found_before, found_after)])
    parts, note = _observed(np.stack([answers.baseline, answers.candidate]), found)
    return attribution(KITAGAWA, answers, parts, note, anchors, confidence)


def shapley(
    cells: Mapping[frozenset[Component], ArrayLike],
    cluster: ArrayLike,
    *,
    anchors: Anchors | None = None,
    confidence: float = 0.95,
) -> Attribution:
    """Change of the mean answer score from nothing new to everything new, replayed with only some components new.

    A share is what replacing its component changes, averaged over the orders of replacing that were run to the end:
    over all orders it is Shapley's value; over one, the sequential decomposition along that path.

    Parameters
    ----------
    cells
        By the components that are new, scores in [0, 1] of the same queries, shape (n_queries,).
    cluster
        Each query's cluster, same shape.
    anchors
        The judge's share where the cells do not replace it: the cell with nothing new was graded then, the others now.
        Taken out of what is replaced first, as if the judge had moved by as much on every answer.

    Raises
    ------
    ValueError, ComparisonError
        As `kitagawa`; if the judge is both in the cells and in anchors; if no order is complete, with the cells to run.

    References
    ----------
    Shapley 1953, “A value for n-person games”; Shorrocks 2013, “Decomposition procedures for distributional analysis”.

    Examples
    --------
    >>> new = frozenset(Component)
    >>> old, generator = frozenset(), frozenset({Component.GENERATION})
    >>> cells = {old: [1, 1, 1, 0], generator: [1, 1, 0, 0], generator | {Component.RETRIEVAL}: [0, 0, 0, 0]}
    >>> [(str(each.name), each.difference) for each in shapley(cells, range(4)).shares]
    [('retrieval', -0.5), ('generation', -0.25)]
    """
    components = [each for each in Component if any(each in cell for cell in cells)]
    if anchors and Component.JUDGE in components:
        raise ValueError("anchors: the judge is replaced in the cells already; pass one of the two")
    orders = _complete_orders(components, cells)
    answers = paired_scores(cells[frozenset()], cells[frozenset(components)], cluster)
    parts = _replaced(orders, {cell: checked(values, answers.n_queries) for cell, values in cells.items()})
    if len(orders) == math.factorial(len(components)):
        return attribution(SHAPLEY, answers, parts, "", anchors, confidence)
    note = "replaced in this order: " + "; or ".join(", ".join(order) for order in orders)
    return attribution(PATH, answers, parts, note, anchors, confidence)


def ceiling(
    oracle: ArrayLike, before: ArrayLike, after: ArrayLike, cluster: ArrayLike, *, confidence: float = 0.95
) -> Ceiling:
    """What a generator reaches with the oracle's contexts, and how far from that it is with the old and the new ones.

    All are scores in [0, 1] of one generator on the same queries, shape (n_queries,). What retrieval leaves on the
    table is negative; after less before, it is retrieval's share on the path that replaces generation first.
    Raises ValueError and ComparisonError as `kitagawa` does.

    Examples
    --------
    >>> best = ceiling([1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], range(4))
    >>> best.mean, best.left_before.difference, best.left_after.difference
    (0.75, -0.25, -0.5)
    """
    old, new = paired_scores(oracle, before, cluster), paired_scores(oracle, after, cluster)
    mean, lower, upper = estimate(old, Part(old.baseline), confidence=confidence)
    left_before, left_after = (
        Share(Component.RETRIEVAL, *estimate(scores, Part(scores.differences), confidence=confidence))
        for scores in (old, new)
    )
    return Ceiling(mean=mean, lower=lower, upper=upper, left_before=left_before, left_after=left_after)


def _observed(scores: Floats, found: Floats) -> tuple[dict[Component, Part], str]:
    """Kitagawa's shares as values for each query; both arguments have shape (before and after, n_queries)."""
    cells = np.stack([found, 1 - found])  # [found or missed, before or after, query]
    counts = cells.sum(axis=2)
    divisors = np.maximum(counts, 1)
    means = (cells * scores).sum(axis=2) / divisors
    means = np.where(counts > 0, means, means[:, ::-1])
    weights, changes, gap = cells.mean(axis=(1, 2)), np.diff(means)[:, 0], np.subtract(*means.mean(axis=1))
    moved, has_changed = np.diff(found.mean(axis=1))[0], np.any(scores[0] != scores[1]) or np.any(found[0] != found[1])
    slopes = {  # the shares' derivatives by the four means
        Component.RETRIEVAL: np.outer([moved / 2, -moved / 2], [1, 1]),
        Component.GENERATION: np.outer(weights, [-1, 1]),
    }
    exact = {Component.RETRIEVAL: gap * np.diff(found, axis=0)[0], Component.GENERATION: changes @ cells.mean(axis=1)}
    deviations = cells * (scores - means[:, :, None]) * (found.shape[1] / divisors)[:, :, None]
    # A mean of a handful of queries must not be taken for known: one more, the worst there could be, is reckoned with.
    # Beyond half the way to 0 or 1, a t interval would leave the range of the scores.
    worst = has_changed * (counts > 0) * np.maximum(means, 1 - means) / np.maximum(counts, 2)
    reach = has_changed * (counts == 0) * np.stack([-means, 1 - means])
    return {
        name: Part(
            exact[name] + (slope[:, :, None] * deviations).sum(axis=(0, 1)),
            float(((slope * worst) ** 2).sum()),
            (float((slope * reach).min(axis=0).sum()), float((slope * reach).max(axis=0).sum())),
            float(name is Component.GENERATION),
        )
        for name, slope in slopes.items()
    }, "; ".join(_unidentified(counts))


def _flags(values: ArrayLike, count: int) -> Floats:
    flags = checked(values, count)
    if not np.isin(flags, (0.0, 1.0)).all():
        raise ValueError("whether the evidence was found must be true or false for each query")
    return flags


def _unidentified(counts: Floats) -> Iterator[str]:
    """What the empty ones of the four cells keep from being known."""
    for (before, after), extent, use in zip(counts, ("no", "every"), ("with it", "without it"), strict=True):
        if before == after == 0:
            yield f"in both runs the evidence of {extent} query was found, so that retrieval has no part in the change"
        elif min(before, after) == 0:
            run, other = ("before", "now") if before == 0 else ("now", "before")
            yield (
                f"{run} the evidence of {extent} query was found: how answers would be {use} is not known, is taken "
                f"to be as {other}, and the intervals allow for all from 0 to 1"
            )


def _complete_orders(
    components: Sequence[Component], cells: Mapping[frozenset[Component], ArrayLike]
) -> list[tuple[Component, ...]]:
    """The orders of replacing components one by one, all of whose cells are there."""
    missing = {
        order: [cell for at in range(len(order) + 1) if (cell := frozenset(order[:at])) not in cells]
        for order in permutations(components)
    }
    complete = [order for order, cells_to_run in missing.items() if not cells_to_run]
    if not components:
        raise ComparisonError("there is no cell in which a component is new: nothing can be attributed")
    if not complete:
        needed = "; ".join(" and ".join(sorted(cell)) or "nothing" for cell in min(missing.values(), key=len))
        raise ComparisonError(f"no order of replacing is complete: run the queries also where what is new is: {needed}")
    return complete


def _replaced(
    orders: Sequence[tuple[Component, ...]], scores: Mapping[frozenset[Component], Floats]
) -> dict[Component, Part]:
    """What replacing each component changes, averaged over the orders."""
    return {
        name: Part(
            np.mean([_step(order[: order.index(name)], name, scores) for order in orders], axis=0),
            ruler=sum(order[0] is name for order in orders) / len(orders),
        )
        for name in sorted(orders[0], key=list(Component).index)
    }


def _step(earlier: tuple[Component, ...], name: Component, scores: Mapping[frozenset[Component], Floats]) -> Floats:
    return scores[frozenset((*earlier, name))] - scores[frozenset(earlier)]

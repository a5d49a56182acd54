"""The change of the embedding space at a swap: the measures, and a paragraph that describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple

from monitor.diagnosis.geometry import (
    UNKNOWN,
    Interval,
    anisotropy,
    by_phenomenon,
    cosines,
    effective_rank,
    hubness,
    kernel_alignment_interval,
    margins,
    mean_over,
    overlap,
    procrustes_distance,
    rank_biased_overlap,
)
from monitor.model.snapshots import Embedded, Rankings, Snapshot
from monitor.model.suites import Pair

ALIGNED = 0.95
"""With a larger alignment, two spaces differ by rotation and scale only."""
MOVED = 0.98
"""With a smaller mean cosine before and after, vectors have moved."""
NOTABLE = 0.10
"""Smaller relative changes are not described."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """One embedding space, measured on the canaries; NaN or empty without the data."""

    effective_rank: float = float("nan")
    anisotropy: float = float("nan")
    hubness: float = float("nan")
    margins: Mapping[str, float] = field(default_factory=dict)
    """Phenomenon to the mean cosine with the satisfying minus that with the violating document."""
    near_misses: Mapping[str, float] = field(default_factory=dict)
    """Phenomenon to the mean cosine between the satisfying and the violating document."""
    recall_of_exact: float = float("nan")
    """Share of the results of exact search that the index returned, at the depth of the snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Two spaces and their relation; NaN without the data."""

    before: Space
    after: Space
    overlap: float
    """Mean share of the first k hits that both have."""
    rank_biased_overlap: float
    kernel_alignment: Interval = UNKNOWN
    """Debiased alignment with its 95 % interval; unknown for few texts."""
    procrustes_distance: float = float("nan")
    same_place: float = float("nan")
    """Mean cosine of the vectors of a text before and after, if both spaces have the same dimension."""


class Labelled(NamedTuple):
    """A compositional pair and its phenomenon."""

    pair: Pair
    phenomenon: str


def compare_spaces(before: Snapshot, after: Snapshot, pairs: Sequence[Labelled] = ()) -> Geometry:
    """The geometry of two snapshots and its change, as far as their data allows.

    Spaces are compared by the stored documents if their vectors are available, else by the canary queries. ``pairs``
    whose texts have no vectors in a snapshot are left out of its margins.
    """
    shared = sorted(before.rankings.keys() & after.rankings.keys())
    ranked = [(before.rankings[each].doc_ids, after.rankings[each].doc_ids) for each in shared]
    depth = min(before.depth, after.depth)
    overlaps = [overlap(old, new, depth) for old, new in ranked]
    weighted = [rank_biased_overlap(_distinct(old), _distinct(new)) for old, new in ranked]
    n_documents = len({doc_id for old, new in ranked for doc_id in (*old, *new)})
    alignment, distance, same_place = _relation(before.stored or before.queries, after.stored or after.queries)
    return Geometry(
        before=_space(before, pairs, shared, n_documents),
        after=_space(after, pairs, shared, n_documents),
        overlap=fmean(overlaps) if overlaps else float("nan"),
        rank_biased_overlap=fmean(weighted) if weighted else float("nan"),
        kernel_alignment=alignment,
        procrustes_distance=distance,
        same_place=same_place,
    )


def recall_of_exact(exact: Rankings, served: Rankings, k: int) -> float:
    """Mean share of the first ``k`` exact results that the index returned, in [0, 1]; NaN without a shared query.

    Examples
    --------
    >>> from monitor.model.runs import Ranking
    >>> recall_of_exact({"q": Ranking(doc_ids=("a", "b"))}, {"q": Ranking(doc_ids=("b", "c"))}, k=2)
    0.5
    """
    shares = [
        len(set(exact[each].doc_ids[:k]) & set(served[each].doc_ids[:k])) / min(k, len(exact[each].doc_ids))
        for each in exact.keys() & served.keys()
        if exact[each].doc_ids
    ]
    return fmean(sorted(shares)) if shares else float("nan")


def describe(geometry: Geometry) -> str:
    """A paragraph that describes the change of the space to operators of a search service.

    Examples
    --------
    >>> describe(Geometry(before=Space(), after=Space(), overlap=1.0, rank_biased_overlap=1.0))
    'The same documents are returned in the same order.'
    """
    return " ".join(_sentences(geometry))


def _space(snapshot: Snapshot, pairs: Sequence[Labelled], query_ids: Sequence[str], n_documents: int) -> Space:
    vectors = snapshot.stored or snapshot.queries
    rows = vectors.of(vectors.ids) if vectors else None
    rankings = [_distinct(snapshot.rankings[each].doc_ids) for each in query_ids]
    margins_by_phenomenon, near_misses = _structure(snapshot, pairs)
    return Space(
        effective_rank=effective_rank(rows) if rows is not None else float("nan"),
        anisotropy=anisotropy(rows) if rows is not None else float("nan"),
        hubness=hubness(rankings, n_documents, snapshot.depth),
        margins=margins_by_phenomenon,
        near_misses=near_misses,
        recall_of_exact=recall_of_exact(snapshot.exact, snapshot.rankings, snapshot.depth),
    )


def _structure(snapshot: Snapshot, pairs: Sequence[Labelled]) -> tuple[dict[str, float], dict[str, float]]:
    queries, documents = snapshot.queries, snapshot.stored
    if queries is None or documents is None:
        return {}, {}
    query_ids, doc_ids = set(queries.ids), set(documents.ids)
    usable = [
        each for each in pairs
        if each.pair.query_id in query_ids and {each.pair.satisfying_id, each.pair.violating_id} <= doc_ids
    ]  # fmt: skip
    if not usable or queries.vectors.shape[1] != documents.vectors.shape[1]:
        return {}, {}
    phenomena = [each.phenomenon for each in usable]
    satisfying = documents.of([each.pair.satisfying_id for each in usable])
    violating = documents.of([each.pair.violating_id for each in usable])
    near = by_phenomenon(cosines(satisfying, violating), phenomena)
    return margins(queries.of([each.pair.query_id for each in usable]), satisfying, violating, phenomena), near


def _relation(before: Embedded | None, after: Embedded | None) -> tuple[Interval, float, float]:
    """Kernel alignment, Procrustes distance and mean cosine of the vectors of a text before and after."""
    ids = set(after.ids) if after else set()
    shared = [each for each in before.ids if each in ids] if before else []
    if before is None or after is None or not shared:
        return UNKNOWN, float("nan"), float("nan")
    x, y = before.of(shared), after.of(shared)
    same = float(cosines(x, y).mean()) if x.shape[1] == y.shape[1] else float("nan")
    return kernel_alignment_interval(x, y), procrustes_distance(x, y), same


def _distinct(doc_ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(doc_ids))


def _sentences(geometry: Geometry) -> Iterator[str]:
    yield from _movement(geometry)
    if geometry.overlap == 1.0 and geometry.rank_biased_overlap == 1.0:
        yield "The same documents are returned in the same order."
    elif geometry.overlap == geometry.overlap:
        yield f"{geometry.overlap:.0%} of the returned documents are the same as before."
    yield from _spread(geometry.before, geometry.after)
    yield from _trade(geometry.before, geometry.after)
    old, new = geometry.before.recall_of_exact, geometry.after.recall_of_exact
    if abs(new - old) >= 0.01:
        yield f"The index returns {new:.1%} of the results of exact search, before {old:.1%}."


def _movement(geometry: Geometry) -> Iterator[str]:
    aligned, same = geometry.kernel_alignment, geometry.same_place
    if same >= MOVED:
        yield "The vectors have not changed."
    elif aligned.lower >= ALIGNED:
        yield f"The new space is a rotation of the old one: distances are the same ({_interval(aligned)})."
    elif aligned.upper < ALIGNED:
        yield (
            f"The new space is not a rotation of the old one: {_interval(aligned)}; rotation leaves "
            f"{geometry.procrustes_distance:.0%} of the variance unexplained."
        )
    elif aligned.value == aligned.value:
        yield f"Whether the new space is a rotation of the old one is uncertain: {_interval(aligned)}."


def _interval(aligned: Interval) -> str:
    lower = max(aligned.lower, 0.0)
    return f"alignment {aligned.value:.2f} of 1, 95 % interval {lower:.2f} to {aligned.upper:.2f}"


def _spread(before: Space, after: Space) -> Iterator[str]:
    if _differs(before.effective_rank, after.effective_rank):
        fewer = "fewer" if after.effective_rank < before.effective_rank else "more"
        yield f"The vectors use {fewer} dimensions: {after.effective_rank:.0f}, before {before.effective_rank:.0f}."
    if abs(after.anisotropy - before.anisotropy) >= 0.05:
        closer = "closer together" if after.anisotropy > before.anisotropy else "further apart"
        yield (f"Unrelated texts lie {closer}: mean cosine {after.anisotropy:.2f}, before {before.anisotropy:.2f}.")
    if abs(after.hubness - before.hubness) >= 0.5:
        more = "more" if after.hubness > before.hubness else "less"
        yield (
            f"A few documents are returned {more} often for all queries: hubness {after.hubness:.1f}, "
            f"before {before.hubness:.1f}."
        )


def _trade(before: Space, after: Space) -> Iterator[str]:
    old, new = mean_over(before.near_misses), mean_over(after.near_misses)
    if abs(new - old) >= 0.01:
        apart = "further apart" if new < old else "closer together"
        yield f"Near-copies with another meaning lie {apart}: cosine {new:.2f}, before {old:.2f}."
    moved = {name: after.margins[name] - before.margins[name] for name in before.margins.keys() & after.margins.keys()}
    gains = sorted(name for name, by in moved.items() if by >= 0.01)
    losses = sorted(name for name, by in moved.items() if by <= -0.01)
    if gains:
        yield f"The correct document stands out more clearly in {', '.join(gains)}."
    if losses:
        yield f"The correct document stands out less clearly in {', '.join(losses)}."


def _differs(before: float, after: float) -> bool:
    return abs(after - before) >= NOTABLE * abs(before)

"""Measurement of the differences between two snapshots of one target; `causes` interprets them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.diagnosis.changes import NAN, Changes, Echoes, Members, Missed, Moved, Scores
from monitor.diagnosis.geometry import cosines, overlap
from monitor.diagnosis.space_changes import recall_of_exact
from monitor.model.measurements import Floats
from monitor.model.runs import Ranking
from monitor.model.snapshots import Embedded, Rankings, Snapshot

SAME_SCORE = 1e-3
"""Scores with a smaller difference, in units of the scale, are equal."""
SAME_VECTOR = 1e-5
"""Vectors with a smaller difference of their cosine from 1 are equal."""
FEWEST_MOVED = 6
"""With fewer changed or unchanged documents, their relation is not estimated."""
FEWEST_PAIRS = 30
"""With fewer shared pairs, the effect of words is not estimated."""


class Pairs(NamedTuple):
    """Scores of the same queries and documents in both snapshots."""

    queries: NDArray[np.intp]
    documents: NDArray[np.intp]
    before: Floats
    after: Floats
    words: Floats
    """Match of the words; NaN where the texts are unknown."""


def measure_changes(before: Snapshot, after: Snapshot) -> Changes:
    """The differences between two snapshots; NaN where a snapshot lacks the data.

    Examples
    --------
    >>> first = Ranking(doc_ids=("a", "b", "c"), scores=(0.9, 0.8, 0.7))
    >>> second = Ranking(doc_ids=("a", "c", "d"), scores=(0.9, 0.7, 0.6))
    >>> before, after = (Snapshot(rankings={"q": ranking}, depth=3) for ranking in (first, second))
    >>> measure_changes(before, after).members.losses.ids
    ('b',)
    """
    old, new = _all_rankings(before), _all_rankings(after)
    scale = _scale(old)
    noise_shift, noise = _replay_noise((before, after), scale)
    tolerance = scale * max(SAME_SCORE, 3 * noise_shift)
    pairs = _pairs(old, new, before.word_matches)
    jitter = 3 * 1.4826 * float(np.median(np.abs(pairs.after - pairs.before))) if len(pairs.before) else 0.0
    shared = old.keys() & new.keys()
    return Changes(
        before=before,
        after=after,
        scores=_scores(pairs, scale, tolerance),
        members=_members(old, new, max(tolerance, min(jitter, 0.2 * scale))),
        moved=_moved(before, after),
        echoes=_echoes(before, after, scale),
        noise_shift=noise_shift,
        noise=noise,
        recall_before=recall_of_exact(before.exact, before.rankings, before.depth),
        recall_after=recall_of_exact(after.exact, after.rankings, after.depth),
        same_rankings=all(old[each].doc_ids == new[each].doc_ids for each in shared),
    )


def _all_rankings(snapshot: Snapshot) -> Rankings:
    """The rankings of queries and echoes; scores that fall with relevance, such as distances, are negated."""
    rankings = {**snapshot.rankings, **{f"echo:{doc_id}": each for doc_id, each in snapshot.echoes.items()}}
    scored = [ranking.scores for ranking in rankings.values() if ranking.scores]
    n_rising = sum(scores[0] < scores[-1] for scores in scored)
    if 2 * n_rising <= len(scored):
        return rankings
    return {key: Ranking(doc_ids=each.doc_ids, scores=each.scores and tuple(-score for score in each.scores))
            for key, each in rankings.items()}  # fmt: skip


def _scale(rankings: Rankings) -> float:
    spans = [each.scores[0] - each.scores[-1] for each in rankings.values() if each.scores and len(each.scores) > 1]
    return max(float(np.median(spans)), 1e-12) if spans else 1.0


def _replay_noise(snapshots: tuple[Snapshot, Snapshot], scale: float) -> tuple[float, Members]:
    """The shift of scores in replays, and the losses and additions in replays, over both snapshots.

    The order of two replays has no meaning, so each pair is compared in both directions.
    """
    first: dict[str, Ranking] = {}
    again: dict[str, Ranking] = {}
    for name, snapshot in zip(("before", "after"), snapshots, strict=True):
        for query_id in sorted(snapshot.replayed.keys() & snapshot.rankings.keys()):
            pair = snapshot.rankings[query_id], snapshot.replayed[query_id]
            first[f"{name} {query_id}"], again[f"{name} {query_id}"] = pair
            again[f"{name} {query_id} turned"], first[f"{name} {query_id} turned"] = pair
    pairs = _pairs(first, again, {})
    differences = pairs.after - pairs.before
    shift = float(np.sqrt((differences**2).mean())) / scale if len(differences) else 0.0
    return shift, _members(first, again, scale * max(SAME_SCORE, 3 * shift))


def _pairs(old: Rankings, new: Rankings, words: Mapping[str, Mapping[str, float]]) -> Pairs:
    numbers: dict[str, int] = {}
    rows: list[tuple[int, int, float, float, float]] = []
    for place, query_id in enumerate(sorted(old.keys() & new.keys())):
        now = dict(new[query_id].hits[::-1])
        for doc_id, score in old[query_id].hits:
            later = now.get(doc_id)
            if score is not None and later is not None:
                matched = words.get(query_id, {}).get(doc_id, NAN)
                rows.append((place, numbers.setdefault(doc_id, len(numbers)), score, later, matched))
    table = np.array(rows, np.float64).reshape(-1, 5).T
    return Pairs(table[0].astype(np.intp), table[1].astype(np.intp), table[2], table[3], table[4])


def _scores(pairs: Pairs, scale: float, tolerance: float) -> Scores:
    n_pairs = len(pairs.before)
    if not n_pairs:
        return Scores(n_pairs=0, scale=scale)
    differences = pairs.after - pairs.before
    is_same = np.abs(differences) <= tolerance
    x, y = (_centred(each, pairs.queries) for each in (pairs.before, pairs.after))
    return Scores(
        n_pairs=n_pairs,
        scale=scale,
        same=float(is_same.mean()),
        shift=float(np.sqrt((differences**2).mean())) / scale,
        shift_of_moved=float(np.sqrt((differences[~is_same] ** 2).mean())) / scale if not is_same.all() else 0.0,
        stretch=float(y.std() / x.std()) if x.std() > 0 else NAN,
        correlation=float((x * y).mean() / (x.std() * y.std())) if x.std() > 0 and y.std() > 0 else NAN,
        by_words=_explained_by_words(pairs),
        mixed_documents=_mixed(is_same, pairs.documents),
        mixed_queries=_mixed(is_same, pairs.queries),
        moved_queries=len(set(pairs.queries[~is_same].tolist())) / len(set(pairs.queries.tolist())),
    )


def _centred(values: Floats, queries: NDArray[np.intp]) -> Floats:
    """The values minus the mean of their query."""
    counts = np.maximum(np.bincount(queries), 1)
    return np.asarray(values - (np.bincount(queries, values) / counts)[queries], np.float64)


def _mixed(is_same: NDArray[np.bool_], owner: NDArray[np.intp]) -> float:
    """Share of the owners with several pairs that have both equal and different ones."""
    total, same = np.bincount(owner), np.bincount(owner, is_same)
    several = total > 1
    moved = several & (same < total)
    return float((same[moved] > 0).mean()) if moved.any() else NAN


def _explained_by_words(pairs: Pairs) -> float:
    """Partial R² of word matches for the change of score, within queries, given the earlier score."""
    has_words = np.isfinite(pairs.words)
    if has_words.sum() < FEWEST_PAIRS:
        return NAN
    queries = pairs.queries[has_words]
    old, new, words = (_centred(each[has_words], queries) for each in (pairs.before, pairs.after, pairs.words))
    left = _residual(new - old, old[:, None])
    unexplained = float(left @ left)
    full = _residual(new - old, np.stack([old, words], axis=1))
    return 1 - float(full @ full) / unexplained if unexplained > 0 else NAN


def _residual(values: Floats, columns: Floats) -> Floats:
    coefficients, *_ = np.linalg.lstsq(columns, values)
    return np.asarray(values - columns @ coefficients, np.float64)


def _members(old: Rankings, new: Rankings, tolerance: float) -> Members:
    ranked = [(old[each], new[each]) for each in sorted(old.keys() & new.keys())]
    turned = [(second, first) for first, second in ranked]
    overlaps = [overlap(first.doc_ids, second.doc_ids, len(first.doc_ids)) for first, second in ranked]
    ids_before, ids_now = (_documents(each) for each in (ranked, turned))
    n_queries = max(len(ranked), 1)
    return Members(
        overlap=float(np.mean(overlaps)) if overlaps else NAN,
        losses=_missed(ranked, ids_now, tolerance),
        additions=_missed(turned, ids_before, tolerance),
        known_share=len(ids_now & ids_before) / len(ids_now) if ids_now else NAN,
        shorter=sum(len(second.doc_ids) < len(first.doc_ids) for first, second in ranked) / n_queries,
        longer=sum(len(second.doc_ids) > len(first.doc_ids) for first, second in ranked) / n_queries,
    )


def _documents(pairs: Sequence[tuple[Ranking, Ranking]]) -> set[str]:
    return {doc_id for ranking, _ in pairs for doc_id in ranking.doc_ids}


def _missed(pairs: Sequence[tuple[Ranking, Ranking]], other_ids: set[str], tolerance: float) -> Missed:
    """Documents of the first of two rankings that are missing from the second although they beat its lowest rank."""
    expected, by_query, by_document = 0, list[int](), Counter[str]()
    for ranking, other in pairs:
        present = set(other.doc_ids)
        better = _better_than_lowest(ranking, other, tolerance)
        missing = [doc_id for doc_id in better if doc_id not in present]
        expected += len(better)
        by_query.append(len(missing))
        by_document.update(missing)
    return Missed(
        expected=expected,
        count=by_document.total(),
        elsewhere=sum(count for doc_id, count in by_document.items() if doc_id in other_ids),
        ids=tuple(sorted(by_document.keys() - other_ids)),
        burst=max(_burst(by_query), _burst(by_document.values())),
    )


def _burst(counts: Iterable[int]) -> float:
    """Mean group size over the missing documents: sum of squares over sum."""
    sizes = list(counts)
    return sum(size * size for size in sizes) / max(sum(sizes), 1)


def _better_than_lowest(ranking: Ranking, other: Ranking, tolerance: float) -> list[str]:
    """Documents of a ranking that beat the lowest rank of the other one: by score, else by a shared document."""
    if not other.doc_ids:
        return []
    if ranking.scores and other.scores:
        bar = min(other.scores) + tolerance
        return [doc_id for doc_id, score in zip(ranking.doc_ids, ranking.scores, strict=True) if score > bar]
    present = set(other.doc_ids)
    last = max((place for place, doc_id in enumerate(ranking.doc_ids) if doc_id in present), default=-1)
    return list(ranking.doc_ids[: last + 1])


def _moved(before: Snapshot, after: Snapshot) -> Moved:
    stored = _cosines(before.stored, after.stored)
    kept_within, kept_across = _kept_relations(before.stored, after.stored)
    held = set(after.stored.ids) if after.stored else set()
    return Moved(
        queries=_median(_cosines(before.queries, after.queries)),
        stored=_median(stored),
        stored_share=float((stored < 1 - SAME_VECTOR).mean()) if len(stored) else NAN,
        kept_within=kept_within,
        kept_across=kept_across,
        agreement_before=_median(_cosines(before.stored, before.encoded)),
        agreement_after=_median(_cosines(after.stored, after.encoded)),
        unstored_ids=tuple(each for each in before.stored.ids if each not in held)
        if before.stored and after.stored
        else (),
    )


def _kept_relations(before: Embedded | None, after: Embedded | None) -> tuple[float, float]:
    """Correlations of the cosines among changed documents, and of changed with unchanged ones, before and after."""
    held = set(after.ids) if after else set()
    shared = [each for each in before.ids if each in held] if before else []
    if before is None or after is None or before.vectors.shape[1] != after.vectors.shape[1]:
        return NAN, NAN
    old, new = before.of(shared), after.of(shared)
    moved = (old * new).sum(axis=1) < 1 - SAME_VECTOR
    if moved.sum() < FEWEST_MOVED or (~moved).sum() < FEWEST_MOVED:
        return NAN, NAN
    upper = np.triu_indices(int(moved.sum()), 1)
    within = [(rows[moved] @ rows[moved].T)[upper] for rows in (old, new)]
    across = [(rows[moved] @ rows[~moved].T).ravel() for rows in (old, new)]
    return _correlation(*within), _correlation(*across)


def _correlation(first: Floats, second: Floats) -> float:
    return float(np.corrcoef(first, second)[0, 1]) if first.std() > 0 and second.std() > 0 else NAN


def _cosines(first: Embedded | None, second: Embedded | None) -> Floats:
    """Cosines of the vectors that are in both, shape (n_shared,); zeros if the dimensions differ."""
    held = set(second.ids) if second else set()
    shared = [each for each in first.ids if each in held] if first else []
    if first is None or second is None or not shared:
        return np.empty(0)
    if first.vectors.shape[1] != second.vectors.shape[1]:
        return np.zeros(len(shared))
    return cosines(first.of(shared), second.of(shared))


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else NAN


def _echoes(before: Snapshot, after: Snapshot, scale: float) -> Echoes:
    old = {doc_id: dict(ranking.hits) for doc_id, ranking in before.echoes.items() if doc_id in after.echoes}
    own_scores = {doc_id: hits[doc_id] for doc_id, hits in old.items() if doc_id in hits}
    if not own_scores:
        return Echoes()
    new = {doc_id: dict(after.echoes[doc_id].hits) for doc_id in own_scores}
    in_both = [doc_id for doc_id in own_scores if doc_id in new[doc_id]]
    lost = 1 - len(in_both) / len(own_scores)
    own = [(own_scores[doc_id], new[doc_id][doc_id]) for doc_id in in_both]
    scores = np.array([pair for pair in own if None not in pair], np.float64).reshape(-1, 2)
    old_scores = np.array([score for score in own_scores.values() if score is not None], np.float64)
    if not len(old_scores):
        return Echoes(lost=lost)
    drop = float((scores[:, 0] - scores[:, 1]).mean()) / scale if len(scores) else NAN
    return Echoes(float(old_scores.std()) / scale, abs(drop), lost)

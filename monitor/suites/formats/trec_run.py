"""TREC runs, the rankings that tools such as `trec_eval` read: `query Q0 document rank score tag`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from monitor.errors import SuiteError
from monitor.model.runs import Outcome, Ranking
from monitor.suites.formats.placement import placed_at, write_lines
from monitor.suites.formats.source_files import published_lines
from monitor.suites.formats.trec import word


def read_rankings(path: Path) -> dict[str, Ranking]:
    """The ranking of each query, ordered by the ranks in the file.

    Published runs often repeat a rank; such a query is ordered by its scores, as `trec_eval` does, ties as in the file.
    """
    hits: dict[str, list[tuple[int, str, float]]] = {}
    pairs: set[tuple[str, str]] = set()
    for where, line in published_lines(path):
        query_id, doc_id, rank, score = _fields(line, where)
        if (query_id, doc_id) in pairs:
            raise SuiteError(where, f"document {doc_id} is ranked twice for query {query_id}")
        pairs.add((query_id, doc_id))
        hits.setdefault(query_id, []).append((rank, doc_id, score))
    return {query_id: _ranking(rows) for query_id, rows in hits.items()}


def write_run(outcomes: Iterable[Outcome], path: Path, tag: str) -> None:
    """Write the rankings of a run atomically. A failure has no ranking and therefore no line."""
    word(tag, "tag")
    with placed_at(path) as unfinished:
        write_lines(unfinished, (line for outcome in outcomes for line in _lines(outcome, tag)))


def _lines(outcome: Outcome, tag: str) -> Iterator[str]:
    if outcome.ranking is None:
        return
    doc_ids = outcome.ranking.doc_ids
    # Tools that sort by score must restore the order of the ranking, also if the retriever returns no scores.
    scores = outcome.ranking.scores or tuple(float(len(doc_ids) - index) for index in range(len(doc_ids)))
    for rank, (doc_id, score) in enumerate(zip(doc_ids, scores, strict=True), 1):
        yield f"{word(outcome.query_id, 'query')} Q0 {word(doc_id, 'document')} {rank} {score!r} {tag}"


def _fields(line: str, where: str) -> tuple[str, str, int, float]:
    fields = line.split()
    if len(fields) != 6:
        raise SuiteError(where, f"must have 6 columns (query, Q0, document, rank, score, tag), not {len(fields)}")
    query_id, _, doc_id, rank, score, _ = fields
    if not rank.isascii() or not rank.isdigit():
        raise SuiteError(where, f"rank {rank!r} must be a whole number")
    try:
        value = float(score)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SuiteError(where, f"score {score!r} must be a number")
    return query_id, doc_id, int(rank), value


def _ranking(rows: list[tuple[int, str, float]]) -> Ranking:
    has_ranks = len({rank for rank, _, _ in rows}) == len(rows)
    ordered = sorted(rows, key=lambda row: row[0] if has_ranks else -row[2])
    return Ranking(doc_ids=tuple(doc_id for _, doc_id, _ in ordered), scores=tuple(score for _, _, score in ordered))

"""Measure a TREC run file with a suite, without a target or a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from monitor.errors import Reason, SuiteError
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.measurements import Measured
from monitor.model.runs import Failure, Outcome, Ranking, Run, RunStatus
from monitor.model.suites import Suite
from monitor.suites.formats.trec_run import read_rankings

NO_LINE = Failure(Reason.MALFORMED, "the run file has no line for this query")


def measure_run_file(
    path: Path, suite: Suite, *, missing_as_empty: bool = False, ignore_unknown: bool = False, depth: int = 0
) -> Measured:
    """The measurements of the rankings in a run file.

    A query without a line counts as failed, because an exported run has no line for a failed probe. With
    ``missing_as_empty`` it counts as an empty ranking, as in ``trec_eval -c``. Raises SuiteError for a malformed
    or empty file and, unless ``ignore_unknown``, for queries that are not in the suite. Of each ranking the first
    ``depth`` hits count; 0 counts all.
    """
    rankings = read_rankings(path)
    if not rankings:
        raise SuiteError(str(path), "the run file has no ranking")
    if not ignore_unknown:
        _refuse_unknown_queries(path, rankings, suite)
    rankings = {query_id: _cut(ranking, depth) for query_id, ranking in rankings.items()} if depth else rankings
    outcomes = tuple(_outcomes(rankings, suite, missing_as_empty=missing_as_empty))
    written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    run = Run(
        run_id=path.name,
        cycle_id=path.name,
        target=path.name,
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=depth or max(len(ranking.doc_ids) for ranking in rankings.values()),
        started_at=written_at,
        finished_at=written_at,
        status=RunStatus.FINISHED,
        outcomes=outcomes,
        fingerprint=fingerprint(outcomes),
    )
    return measure(run, suite)


def depth_of_run_file(path: Path) -> int:
    """The length of the longest ranking in a run file."""
    return max((len(ranking.doc_ids) for ranking in read_rankings(path).values()), default=0)


def _cut(ranking: Ranking, depth: int) -> Ranking:
    scores = ranking.scores
    return replace(ranking, doc_ids=ranking.doc_ids[:depth], scores=scores[:depth] if scores else None)


def _outcomes(rankings: Mapping[str, Ranking], suite: Suite, *, missing_as_empty: bool) -> Iterator[Outcome]:
    for query in suite.queries:
        if not query.is_judged:
            yield Outcome(query_id=query.query_id)
        elif query.query_id in rankings:
            yield Outcome(query_id=query.query_id, ranking=rankings[query.query_id])
        elif missing_as_empty:
            yield Outcome(query_id=query.query_id, ranking=Ranking(doc_ids=()))
        else:
            yield Outcome(query_id=query.query_id, failure=NO_LINE)


def _refuse_unknown_queries(path: Path, rankings: Mapping[str, Ranking], suite: Suite) -> None:
    unknown = rankings.keys() - {query.query_id for query in suite.queries}
    if unknown:
        others = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        problem = f"unknown query {min(unknown)}{others}: not in suite {suite.name}"
        raise SuiteError(str(path), f"{problem}; to leave such queries out, set --ignore-unknown")

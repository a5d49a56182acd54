"""From a run and its suite to measurements: every query is scored, failed or skipped, and counted."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from monitor.errors import ComparisonError
from monitor.evaluation.pairs import mirrored_accuracy, pair_accuracy
from monitor.evaluation.retrieval import evaluate, locate, parse_measure
from monitor.model import Counts, Measured, Measurements, Outcome, Ranking, Run, Suite

REPORTED = ("recall@5", "recall@10", "mrr@10", "ndcg@10", "success@5")
"""Rank measures of every run; a policy may name more."""

PAIR_MEASURES = {"pair_accuracy": pair_accuracy, "mirrored_accuracy": mirrored_accuracy}


def depth_of(measures: Iterable[str]) -> int:
    """How many hits a probe must ask for so that every measure can be computed."""
    return max(parse_measure(measure)[1] for measure in measures if measure not in PAIR_MEASURES)


def measure(run: Run, suite: Suite, measures: Sequence[str] = REPORTED) -> Measured:
    """The run with its per-query measurements and counts.

    A failure is counted with its reason and never scored; a query without a relevant judgement is skipped.

    Raises ComparisonError if the run was not replayed from this suite, or does not have exactly one outcome
    for each of its queries.
    """
    _refuse_other_suite(run, suite)
    outcomes = {outcome.query_id: outcome for outcome in run.outcomes}
    if len(outcomes) != len(run.outcomes) or outcomes.keys() != {q.query_id for q in suite.queries}:
        raise ComparisonError(
            f"run {run.run_id} has {len(run.outcomes)} outcomes for {len(suite.queries)} queries: "
            "each query needs exactly one"
        )
    rankings = {
        query.query_id: ranking
        for query in suite.queries
        if query.is_judged and (ranking := outcomes[query.query_id].ranking) is not None
    }
    return Measured(
        run,
        suite,
        _count(suite, outcomes.values(), len(rankings)),
        dict(_rank_measurements(suite, rankings, measures)) | dict(_pair_measurements(suite, rankings)),
        _judged_share(suite, rankings),
    )


def stratum_means(measured: Measured) -> Iterator[tuple[str, str, float]]:
    """Stratum, measure and mean, for the whole suite (“overall”) and each stratum with a scored query."""
    stratum_of = {query.query_id: query.stratum for query in measured.suite.queries}
    for measurements in measured.measurements.values():
        if len(measurements.values):
            yield "overall", measurements.measure, measurements.mean
        values: dict[str, list[float]] = {}
        for query_id, value in zip(measurements.query_ids, measurements.values.tolist(), strict=True):
            values.setdefault(stratum_of[query_id], []).append(value)
        if len(measured.suite.strata) > 1:
            for stratum, numbers in values.items():
                yield stratum, measurements.measure, math.fsum(numbers) / len(numbers)


def fingerprint(outcomes: Iterable[Outcome]) -> str:
    """SHA-256 over every ranking in query order: equal when nothing a user could see has changed."""
    digest = hashlib.sha256()
    for outcome in sorted(outcomes, key=lambda each: each.query_id):
        if outcome.ranking is not None:
            digest.update("\x1f".join((outcome.query_id, *outcome.ranking.doc_ids, "\n")).encode())
    return digest.hexdigest()


def _refuse_other_suite(run: Run, suite: Suite) -> None:
    if run.suite_digest != suite.digest:
        raise ComparisonError(
            f"run {run.run_id} was replayed from version {run.suite_digest[:12]} of suite {run.suite_name}, "
            f"not {suite.digest[:12]}"
        )


def _count(suite: Suite, outcomes: Iterable[Outcome], scored: int) -> Counts:
    judged = {query.query_id for query in suite.queries if query.is_judged}
    reasons = Counter(outcome.failure.reason for outcome in outcomes if outcome.failure and outcome.query_id in judged)
    return Counts(scored, reasons.total(), len(suite.queries) - scored - reasons.total(), dict(reasons))


def _rank_measurements(
    suite: Suite, rankings: dict[str, Ranking], measures: Sequence[str]
) -> Iterable[tuple[str, Measurements]]:
    scored = [query for query in suite.queries if query.query_id in rankings]
    relevance = locate((rankings[query.query_id].doc_ids, query.grades) for query in scored)
    ids = tuple(query.query_id for query in scored)
    return [(name, Measurements(name, ids, evaluate(relevance, name))) for name in measures]


def _pair_measurements(suite: Suite, rankings: dict[str, Ranking]) -> Iterable[tuple[str, Measurements]]:
    computed = [(name, *score(suite.pairs, rankings)) for name, score in PAIR_MEASURES.items()]
    return [(name, Measurements(name, ids, values)) for name, ids, values in computed if ids]


def _judged_share(suite: Suite, rankings: dict[str, Ranking]) -> float:
    shares = [
        sum(doc_id in query.grades for doc_id in rankings[query.query_id].doc_ids)
        / len(rankings[query.query_id].doc_ids)
        for query in suite.queries
        if query.query_id in rankings and rankings[query.query_id].doc_ids
    ]
    return float(np.mean(shares)) if shares else float("nan")

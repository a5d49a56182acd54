"""Measurements of a run by its suite. Every query is counted as scored, failed or skipped."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from monitor.errors import ComparisonError
from monitor.evaluation import measures as registry
from monitor.evaluation.answers.measurements import measure_answers
from monitor.evaluation.measures import REPORTED
from monitor.evaluation.passages.labels import label_states, resolve
from monitor.evaluation.retrieval import Judged, Ranked, evaluate, judged_flags, locate, n_positions
from monitor.model.measurements import Measured, Measurements
from monitor.model.measures import MEASURES, Needs
from monitor.model.passages import LabelState
from monitor.model.runs import Counts, Outcome, Ranking, Run
from monitor.model.suites import STYLE, Query, Suite, style_strata

Grades = Mapping[str, int]

PAIR_MEASURES = registry.names(Needs.PAIRS, Needs.SCORES)
PAIR_DEPTH = 50
"""Hits to request for a suite with pairs that sets no depth, so that both documents of most pairs are returned."""


def depth_of(measures: Iterable[str]) -> int:
    """Number of hits that a probe must request so that every measure can be computed: the largest cutoff, at least 1.

    Examples
    --------
    >>> depth_of(["recall@5", "ndcg@20", "pair_accuracy"])
    20
    """
    return max((registry.parse(measure).k or 1 for measure in measures), default=1)


def run_depth(suite: Suite, measures: Iterable[str]) -> int:
    """Number of hits that every probe of a suite requests.

    It is at least the depth that the suite sets, or `PAIR_DEPTH` for a suite with pairs that sets none.
    """
    return max(depth_of(measures), suite.depth or (PAIR_DEPTH if suite.pairs else 0))


def measure(run: Run, suite: Suite, measures: Sequence[str] = REPORTED) -> Measured:
    """The run with its per-query measurements and counts.

    A failure is counted with its reason and never scored; a query without a relevant judgement is skipped.

    Raises ComparisonError if the run was not replayed from this suite, does not have exactly one outcome
    for each of its queries, or has lost its rankings to retention.
    """
    _refuse_other_suite(run, suite)
    _refuse_dropped(run)
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
    judged = judge(suite, rankings)
    paired = _pair_measurements(suite, rankings)
    answered, replies = measure_answers(suite, outcomes, is_graded=bool(run.judge))
    return Measured(
        run=run,
        suite=suite,
        counts=_count(suite, outcomes.values(), len(rankings)),
        measurements=dict(_rank_measurements(judged, measures))
        | {name: each for name, each in paired.items() if _is_compared(name)}
        | answered,
        shown_only={name: each for name, each in paired.items() if not _is_compared(name)},
        judged_share=_judged_share(judged),
        labels=_label_counts(suite, rankings),
        replies=replies,
    )


def judge(suite: Suite, rankings: Mapping[str, Ranking]) -> dict[str, Judged]:
    """Each ranking with the grades of its query: the documents in rank order, or the judged passages found in them."""
    scored = [(query, rankings[query.query_id]) for query in suite.queries if query.query_id in rankings]
    return {query.query_id: _judge(query, ranking) for query, ranking in scored}


def _judge(query: Query, ranking: Ranking) -> Judged:
    if not query.passages and ranking.sources is None:
        return ranking.doc_ids, query.grades
    resolved = resolve(query, ranking)
    return resolved, resolved.grades


def stratum_means(
    measured: Measured, measurements: Mapping[str, Measurements] | None = None
) -> Iterator[tuple[str, str, float]]:
    """Stratum, measure and mean: the whole suite (“overall”), each stratum and each style with a scored query.

    ``measurements`` replaces the measurements of the run, with those that are only shown; it must be on the queries of
    its suite.
    """
    suite = measured.suite
    strata = {query.query_id: query.stratum for query in suite.queries} if len(suite.strata) > 1 else {}
    styles = (
        {query.query_id: STYLE + query.style for query in suite.queries if query.style} if style_strata(suite) else {}
    )
    every = {**measured.measurements, **measured.shown_only}
    for measurement in (every if measurements is None else measurements).values():
        if len(measurement.values):
            yield "overall", measurement.measure, measurement.mean
        for name_of in (strata, styles):
            values: dict[str, list[float]] = {}
            for query_id, value in zip(measurement.query_ids, measurement.values.tolist(), strict=True):
                if query_id in name_of:
                    values.setdefault(name_of[query_id], []).append(value)
            for stratum, numbers in values.items():
                yield stratum, measurement.measure, math.fsum(numbers) / len(numbers)


def fingerprint(outcomes: Iterable[Outcome]) -> str:
    """SHA-256 over every ranking in query order; equal if no ranking has changed."""
    digest = hashlib.sha256()
    for outcome in sorted(outcomes, key=lambda each: each.query_id):
        if outcome.ranking is not None:
            digest.update("\x1f".join((outcome.query_id, *outcome.ranking.doc_ids, "\n")).encode())
            if outcome.ranking.sources is not None:
                digest.update(repr(outcome.ranking.sources).encode())
    return digest.hexdigest()


def _refuse_other_suite(run: Run, suite: Suite) -> None:
    if run.suite_digest != suite.digest:
        raise ComparisonError(
            f"run {run.run_id} was replayed from version {run.suite_digest[:12]} of suite {run.suite_name}, "
            f"not {suite.digest[:12]}"
        )


def _refuse_dropped(run: Run) -> None:
    if run.dropped_at is not None:
        raise ComparisonError(
            f"the rankings of run {run.run_id} of {run.started_at:%Y-%m-%d} were dropped by retention on "
            f"{run.dropped_at:%Y-%m-%d}; its measurements and verdicts are kept"
        )


def _count(suite: Suite, outcomes: Iterable[Outcome], scored: int) -> Counts:
    judged = {query.query_id for query in suite.queries if query.is_judged}
    reasons = Counter(outcome.failure.reason for outcome in outcomes if outcome.failure and outcome.query_id in judged)
    return Counts(scored, reasons.total(), len(suite.queries) - scored - reasons.total(), dict(reasons))


def _rank_measurements(judged: Mapping[str, Judged], measures: Sequence[str]) -> Iterable[tuple[str, Measurements]]:
    relevance = locate(judged.values())
    ids = tuple(judged)
    return [(name, Measurements(name, ids, evaluate(relevance, name))) for name in measures]


def _pair_measurements(suite: Suite, rankings: dict[str, Ranking]) -> dict[str, Measurements]:
    """The pair measures with at least one value, by name; measures with a cutoff at each reported cutoff."""
    measurements: dict[str, Measurements] = {}
    for measure in map(MEASURES.__getitem__, PAIR_MEASURES):
        for k in measure.reported if measure.has_cutoff else (None,):
            ids, values = registry.function(measure)(suite.pairs, rankings, *(() if k is None else (k,)))
            if ids:
                measurements[measure.at(k)] = Measurements(measure.at(k), ids, values)
    return measurements


def _is_compared(name: str) -> bool:
    return registry.parse(name).measure.higher_is_better


def _judged_share(judged: Mapping[str, Judged]) -> float:
    shares = [share for ranked, grades in judged.values() if not math.isnan(share := judged_share(ranked, grades))]
    return float(np.mean(shares)) if shares else float("nan")


def judged_share(ranked: Ranked, grades: Grades) -> float:
    """Share of all hits of a query that carry a judgement, in [0, 1]; NaN without hits."""
    n_hits = n_positions(ranked)
    return sum(judged_flags(ranked, grades, n_hits)) / n_hits if n_hits else math.nan


def _label_counts(suite: Suite, rankings: Mapping[str, Ranking]) -> dict[LabelState, int]:
    """Number of judgements in each state, over the queries with judged passages or sources of hits."""
    counts: Counter[LabelState] = Counter()
    for query in suite.queries:
        ranking = rankings.get(query.query_id)
        if ranking is not None and (query.passages or ranking.sources is not None):
            counts.update(label_states(query, ranking).values())
    return {state: counts[state] for state in LabelState if counts[state]}

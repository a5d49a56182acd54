"""Two measured runs of one suite, paired query by query and grouped into clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ComparisonError
from monitor.evaluation.measures import parse
from monitor.model.measurements import Floats, Measured
from monitor.model.policies import Policy
from monitor.model.suites import STYLE, Axis, Query, Suite, is_style, style_strata
from monitor.statistics.comparability import answers_out_of_measure

OVERALL = "overall"
"""Name of the stratum that is the whole suite."""
PHENOMENA = "phenomena"
"""Name of the stratum of all phenomena without the controls, which pools the measures that can show a gain."""
POOLED = frozenset({OVERALL, PHENOMENA})
"""Strata that contain others."""


def is_part(stratum: str) -> bool:
    """Whether a stratum is one of the disjoint parts of a suite: neither a pool of others nor a query style."""
    return stratum not in POOLED and not is_style(stratum)


_RE_ANCHOR = (
    "check the judgements with `recallwatch suite lint`, re-anchor those that moved, and promote a new run with "
    "`recallwatch baseline promote`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """One measure on one stratum: the values of the queries with scores in both runs.

    ``baseline`` and ``candidate`` have shape (n_queries,); ``cluster`` numbers the clusters 0, 1, ….
    """

    suite: str
    axis: Axis
    stratum: str
    measure: str
    gating: bool
    baseline: Floats
    candidate: Floats
    cluster: NDArray[np.intp]
    cluster_names: tuple[str, ...]
    query_ids: tuple[str, ...] = ()
    is_control: bool = False
    """Whether the stratum is a control, which must not move with a gain of structure."""

    @property
    def differences(self) -> Floats:
        """Candidate minus baseline for each query; negative is worse."""
        return self.candidate - self.baseline

    @property
    def n_queries(self) -> int:
        """Number of queries with scores in both runs."""
        return len(self.baseline)

    @property
    def n_clusters(self) -> int:
        """Number of independent units of evidence."""
        return len(self.cluster_names)

    def sum_by_cluster(self, values: Floats) -> Floats:
        """Sums of per-query values within each cluster, shape (n_clusters,)."""
        return np.bincount(self.cluster, values, minlength=self.n_clusters).astype(np.float64)


def pair(baseline: Measured, candidate: Measured, policy: Policy) -> list[Paired]:
    """Every measure that both runs have, over the whole suite and in each stratum.

    A query that failed in either run leaves both. Measures that can page are marked. Answers are
    left out if too few of them succeeded: `unjudged_answers` returns the reason.

    Raises ComparisonError if suite, judgements or depth differ, or the judgements have lost their places.
    """
    refuse_unlike(baseline, candidate)
    refuse_lost_labels(baseline, candidate, policy)
    strata = candidate.suite.strata
    names = (OVERALL, *(strata if len(strata) > 1 else ()), *style_strata(candidate.suite))
    left_out = answers_out_of_measure(baseline, candidate, policy)
    measures = [name for name in candidate.measurements if name in baseline.measurements and name not in left_out]
    return [
        paired
        for measure in measures
        for stratum in (*names, *_without_controls(candidate.suite, measure))
        for paired in _pair_stratum(baseline, candidate, measure, stratum, policy)
    ]


def refuse_unlike(baseline: Measured, candidate: Measured) -> None:
    """Raise ComparisonError if suite, judgements or depth differ between the two runs."""
    if baseline.suite.digest != candidate.suite.digest:
        raise ComparisonError(
            f"suite {candidate.suite.name} has changed since the baseline "
            f"({baseline.suite.digest[:12]} → {candidate.suite.digest[:12]}): "
            f"promote a run of the new version with `recallwatch baseline promote`"
        )
    if baseline.run.depth != candidate.run.depth:
        raise ComparisonError(
            f"the baseline requested {baseline.run.depth} hits and this run {candidate.run.depth}: "
            "promote a run of the new depth with `recallwatch baseline promote`"
        )


def refuse_lost_labels(baseline: Measured, candidate: Measured, policy: Policy) -> None:
    """Raise ComparisonError if fewer judgements are valid than in the baseline, as far as the hits show."""
    if candidate.label_validity < policy.label_floor * baseline.label_validity:
        raise ComparisonError(
            f"{candidate.label_validity:.1%} of the judgements of suite {candidate.suite.name} that the hits reveal "
            f"still hold, where {baseline.label_validity:.1%} did in the baseline: {_RE_ANCHOR}"
        )


def paired_coverage(baseline: Measured, candidate: Measured) -> float:
    """Share of the judged queries that the candidate was asked with scores in both runs, in [0, 1].

    A gate that stops early asks only a part of the suite; the other queries count as skipped.
    """
    sent = {each.query_id for each in candidate.run.outcomes if each.ranking is not None or each.failure is not None}
    judged = [query.query_id for query in candidate.suite.queries if query.is_judged and query.query_id in sent]
    both = _scored(baseline) & _scored(candidate)
    return sum(query_id in both for query_id in judged) / len(judged) if judged else 0.0


def _scored(measured: Measured) -> set[str]:
    return {outcome.query_id for outcome in measured.run.outcomes if outcome.ranking is not None}


def _pair_stratum(
    baseline: Measured, candidate: Measured, measure: str, stratum: str, policy: Policy
) -> Iterator[Paired]:
    before = dict(zip(*_columns(baseline, measure), strict=True))
    after = dict(zip(*_columns(candidate, measure), strict=True))
    shared = [
        query
        for query in candidate.suite.queries
        if query.query_id in before and query.query_id in after and _contains(stratum, query, candidate.suite)
    ]
    if not shared:
        return
    names, cluster = np.unique([_cluster(query) for query in shared], return_inverse=True)
    suite = candidate.suite
    yield Paired(
        suite=suite.name,
        axis=suite.axis,
        stratum=stratum,
        measure=measure,
        gating=measure in policy.gating.get(suite.axis, ()) and _gates(suite, stratum, measure),
        baseline=np.array([before[query.query_id] for query in shared]),
        candidate=np.array([after[query.query_id] for query in shared]),
        cluster=cluster,
        cluster_names=tuple(names.tolist()),
        query_ids=tuple(query.query_id for query in shared),
        is_control=stratum in suite.controls,
    )


def _without_controls(suite: Suite, measure: str) -> tuple[str, ...]:
    """The pool of all phenomena, where the measure can show a gain and the suite has controls to leave out."""
    has_both = suite.controls & {*suite.strata} and {*suite.strata} - suite.controls
    return (PHENOMENA,) if has_both and parse(measure).measure.gain else ()


def _contains(stratum: str, query: Query, suite: Suite) -> bool:
    if stratum == PHENOMENA:
        return query.stratum not in suite.controls
    return stratum in (OVERALL, query.stratum, STYLE + query.style)


def _gates(suite: Suite, stratum: str, measure: str) -> bool:
    """Whether a drop of this stratum can page.

    A mean over several phenomena hides which one fell, so each gates by itself. Styles cut across the domains that gate
    already: they explain a drop and are not tested again. Controls gate as general retrieval over
    the same documents: by rank measures, not by the choice within a pair.
    """
    if stratum == PHENOMENA or is_style(stratum):
        return False
    if suite.axis is Axis.COMPOSITIONAL and stratum == OVERALL:
        return len(suite.strata) <= 1
    return stratum not in suite.controls or not parse(measure).measure.is_choice


def _columns(measured: Measured, measure: str) -> tuple[tuple[str, ...], list[float]]:
    measurements = measured.measurements[measure]
    return measurements.query_ids, measurements.values.tolist()


def _cluster(query: Query) -> str:
    return f"{query.stratum}\x1f{query.cluster}"

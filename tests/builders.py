"""Builders for tests: queries, a suite, a run with given rankings, and its measurements."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from monitor.errors import Reason
from monitor.evaluation.measures import REPORTED
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.measurements import Measured
from monitor.model.runs import Failure, Outcome, Ranking, Run, RunStatus
from monitor.model.suites import Axis, Pair, Query, Suite

Brought = Sequence[str] | Reason | None
"""The outcome of a probe: document ids, the reason of a failure, or None for a skipped query.

The ids ``a``, ``b`` and ``c`` may be written as the text ``"abc"``.
"""


def a_query(
    query_id: str = "q1", grades: Mapping[str, int] | None = None, *, stratum: str = "general", cluster: str = ""
) -> Query:
    """A query; by default the document ``d1`` is relevant and the query is its own cluster."""
    return Query(
        query_id=query_id,
        text=f"what is {query_id}?",
        stratum=stratum,
        cluster=cluster or query_id,
        grades={"d1": 1} if grades is None else grades,
    )


def a_suite(*queries: Query, pairs: Sequence[Pair] = (), axis: Axis = Axis.BROAD, name: str = "broad") -> Suite:
    """A suite of these queries."""
    return Suite(name=name, version="1", axis=axis, queries=queries, pairs=tuple(pairs), digest=f"digest of {name}")


def an_outcome(query_id: str, brought: Brought) -> Outcome:
    """The outcome of one probe."""
    if isinstance(brought, Reason):
        return Outcome(query_id=query_id, failure=Failure(brought, "as the test has it"))
    return Outcome(query_id=query_id, ranking=None if brought is None else Ranking(doc_ids=tuple(brought)))


def a_run(suite: Suite, brought: Mapping[str, Brought], *, run_id: str = "run-1", depth: int = 10) -> Run:
    """A finished run of a suite, with the outcome of each probe."""
    outcomes = tuple(an_outcome(query_id, each) for query_id, each in brought.items())
    return Run(
        run_id=run_id,
        cycle_id="cycle-1",
        target="production",
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=depth,
        started_at=datetime(2026, 3, 1, tzinfo=UTC),
        finished_at=datetime(2026, 3, 1, 0, 1, tzinfo=UTC),
        status=RunStatus.FINISHED,
        outcomes=outcomes,
        fingerprint=fingerprint(outcomes),
    )


def a_measured(
    suite: Suite, brought: Mapping[str, Brought], *, measures: Sequence[str] = REPORTED, run_id: str = "run-1"
) -> Measured:
    """A run of a suite, measured."""
    return measure(a_run(suite, brought, run_id=run_id), suite, measures)

"""Measured runs from values per query, for those functions of recallwatch that take whole runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from monitor.model.measurements import Floats, Measured, Measurements
from monitor.model.runs import Counts, Outcome, Ranking, Run
from monitor.model.suites import Axis, Query, Suite

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_FOUND = Ranking(doc_ids=("document",))


def suite(axis: Axis, n_queries: int, *, n_strata: int = 1, name: str = "") -> Suite:
    """A suite of judged queries, each a cluster of its own, the strata taking turns."""
    queries = tuple(
        Query(
            query_id=f"q{number}",
            text="?",
            stratum=f"stratum {number % n_strata}",
            cluster=f"q{number}",
            grades={"document": 1},
        )
        for number in range(n_queries)
    )
    return Suite(name=name or str(axis), version="1", axis=axis, queries=queries, digest=f"{name or axis}")


def measured(of: Suite, values: Mapping[str, Floats], *, run_id: str) -> Measured:
    """A finished run that scored these values, in the order of the suite's queries."""
    query_ids = tuple(query.query_id for query in of.queries)
    outcomes = _outcomes(query_ids)
    run = Run(
        run_id=run_id,
        cycle_id="cycle",
        target="target",
        suite_name=of.name,
        suite_digest=of.digest,
        axis=of.axis,
        depth=10,
        started_at=_AT,
        outcomes=outcomes,
        fingerprint=run_id,
    )
    measurements = {name: Measurements(name, query_ids, column) for name, column in values.items()}
    return Measured(run=run, suite=of, counts=Counts(len(query_ids), 0, 0), measurements=measurements)


def _outcomes(query_ids: Sequence[str]) -> tuple[Outcome, ...]:
    return tuple(Outcome(query_id=query_id, ranking=_FOUND) for query_id in query_ids)

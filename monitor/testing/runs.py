"""A small suite, and runs over it with awkward ids and scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.errors import Reason
from monitor.model.runs import Failure, Outcome, Ranking, Run
from monitor.model.suites import Axis, Pair, Query, Suite
from monitor.suites.reading import digest_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_suite(n_queries: int = 24) -> Suite:
    """Two strata, one of them a control, and a pair."""
    queries = tuple(
        Query(
            query_id=f"q{i}",
            text=f"Question {i}?",
            stratum="north" if i % 2 else "south",
            cluster=f"c{i}",
            grades={f"d{i}": 2, "other": 0},
            answers=("yes",),
        )
        for i in range(n_queries)
    )
    suite = Suite(
        name="sample",
        version="1",
        axis=Axis.BROAD,
        queries=queries,
        pairs=(Pair("q1", "d1", "d2", "q2"),),
        controls=frozenset({"south"}),
    )
    return replace(suite, digest=digest_of(suite))


def a_run(suite: Suite, run_id: str = "run-1", *, minutes: int = 0) -> Run:
    """A run that has just started."""
    return Run(
        run_id=run_id,
        cycle_id="cycle-1",
        target="target",
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=10,
        started_at=NOW + timedelta(minutes=minutes),
        owner="host/1/2",
    )


def outcomes_of(suite: Suite, *, are_found: bool = True, failing: int = 0) -> tuple[Outcome, ...]:
    """Rankings with awkward ids and scores, the first ``failing`` of them failures."""
    first = "d{}" if are_found else "nothing{}"
    rankings = [
        Outcome(
            query_id=query.query_id,
            ranking=Ranking(
                doc_ids=(first.format(i), "x\ty", 'say "z"'), scores=(0.1 + 1e-17 * i, 1 / 3, -2.5), deployment="v1"
            ),
            failure=None,
            duration_s=0.25,
        )
        for i, query in enumerate(suite.queries)
    ]
    for i in range(failing):
        rankings[i] = Outcome(
            query_id=suite.queries[i].query_id,
            ranking=None,
            failure=Failure(Reason.TIMEOUT, "no answer"),
            duration_s=1.5,
        )
    return tuple(rankings)

"""A run whose measures cannot fall is `invalid`, never `passed`, and is no baseline without --force."""

from datetime import UTC, datetime

import pytest

from monitor.decision.room_to_fall import doubts, without_room
from monitor.decision.verdict import decide
from monitor.errors import Reason
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.suites import Axis, Pair, Suite
from monitor.model.verdicts import Look, Verdict, VerdictName
from monitor.plan import Plan
from tests.builders import a_measured, a_query, a_suite

POLICY = Policy()
QUERIES = [a_query(f"q{number}", {f"d{number}": 1}) for number in range(40)]
SUITE = a_suite(*QUERIES)
GOOD = {query.query_id: [*query.grades, "x1", "x2"] for query in QUERIES}
FOREIGN = {query.query_id: ["x1", "x2", "x3"] for query in QUERIES}
LOST = {query.query_id: ["d39", "x1"] for query in QUERIES[:-1]} | {"q39": ["d0", "x1"]}
"""Known ids for the wrong queries: every measure is zero."""


def verdict_on(*results: SuiteResult, policy: Policy = POLICY) -> Verdict:
    """The verdict on demand about these results."""
    plan = Plan(target="t", suites=tuple(each.measured.suite for each in results), policy=policy)
    return decide(plan, results, Look(0, "on request", 0.01), cycle_id="c", at=datetime(2026, 3, 1, tzinfo=UTC))


def measured(brought: object, run_id: str = "run-1", suite: Suite = SUITE) -> Measured:
    """A run of the suite."""
    return a_measured(suite, brought, run_id=run_id)  # type: ignore[arg-type]


@pytest.mark.parametrize("brought", [FOREIGN, LOST])
def test_equal_zeros_are_invalid_not_passed(brought):
    """A baseline without room to fall makes the verdict invalid, even if nothing changed."""
    result = SuiteResult(measured=measured(brought, "run-2"), baseline=measured(brought))
    verdict = verdict_on(result)
    assert verdict.name is VerdictName.INVALID
    assert "no drop could page" in verdict.advice


def test_the_reason_has_the_counts_and_both_ids():
    """The summary says how many ids are known, and shows one of each side."""
    verdict = verdict_on(SuiteResult(measured=measured(FOREIGN)))
    assert verdict.summary == (
        "broad: 0 of 120 returned ids are known to the suite, for example x1; the suite has ids such as d0."
    )
    assert "promote" not in verdict.advice


def test_a_target_that_falls_to_zero_still_pages():
    """A healthy baseline has room: a candidate that returns foreign ids regressed."""
    verdict = verdict_on(SuiteResult(measured=measured(FOREIGN, "run-2"), baseline=measured(GOOD)))
    assert verdict.name is VerdictName.REGRESSED


def test_a_suite_without_room_does_not_hide_the_drop_of_another():
    """A page of one suite comes before the doubt about another."""
    other = a_suite(*QUERIES, name="other")
    dead = SuiteResult(measured=measured(FOREIGN, "run-4", other), baseline=measured(FOREIGN, "run-3", other))
    fell = SuiteResult(measured=measured(FOREIGN, "run-2"), baseline=measured(GOOD))
    assert verdict_on(dead, fell).name is VerdictName.REGRESSED
    fine = SuiteResult(measured=measured(GOOD, "run-2"), baseline=measured(GOOD))
    assert verdict_on(dead, fine).name is VerdictName.INVALID


def test_a_healthy_run_raises_no_doubt():
    """Room to fall and known ids are all that a baseline needs."""
    assert without_room(measured(GOOD), POLICY) == ""
    assert doubts(measured(GOOD), POLICY) == []
    assert verdict_on(SuiteResult(measured=measured(GOOD, "run-2"), baseline=measured(GOOD))).name.value == "passed"


def test_a_run_without_results_is_a_matter_of_coverage():
    """Failed probes are not foreign ids."""
    assert without_room(measured(dict.fromkeys(GOOD, Reason.TIMEOUT)), POLICY) == ""


def test_a_baseline_with_hardly_a_known_id_is_doubted():
    """One query in forty with a known id is no baseline."""
    assert doubts(measured(FOREIGN | {"q0": ["d0", "x1"]}), POLICY) == [
        "broad: 1 of 119 returned ids are known to the suite, in the results of 1 of 40 queries"
    ]


def test_one_gating_measure_on_its_lowest_value_is_doubted():
    """Pairs that are never in the right order cannot fall, whatever the other measures do."""
    pairs = [Pair(query.query_id, next(iter(query.grades)), "x1") for query in QUERIES]
    suite = a_suite(*QUERIES, pairs=pairs, axis=Axis.COMPOSITIONAL)
    reversed_pairs = {query.query_id: ["x1", *query.grades, "x2"] for query in QUERIES}
    run = measured(reversed_pairs, suite=suite)
    assert without_room(run, POLICY) == ""
    assert any("is 0.000, its lowest value, and cannot fall" in reason for reason in doubts(run, POLICY))

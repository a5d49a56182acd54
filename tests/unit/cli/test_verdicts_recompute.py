"""The report of `verdicts recompute`: identical, different, or decided by another method."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.cli.result import PASSED, REGRESSED
from monitor.cli.verdicts_recompute import report
from monitor.decision.verdict import decide
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.verdicts import VerdictName
from monitor.plan import Plan
from monitor.service.recomputation import Recomputation
from tests.builders import a_measured, a_query, a_suite

SUITE = a_suite(a_query("q1"))
RESULT = SuiteResult(measured=a_measured(SUITE, {"q1": ["d1"]}))
NOW = decide(
    Plan(target="production", suites=(SUITE,), policy=Policy()),
    [RESULT],
    None,
    cycle_id="cycle-1",
    at=datetime(2026, 3, 1, tzinfo=UTC),
)
THEN = replace(NOW, method="sign-test/1", name=VerdictName.PASSED)
IDENTICAL, OTHER_METHOD = Recomputation(NOW, NOW, ""), Recomputation(THEN, NOW, "seed: stored 1, recomputed 2")
DIFFERENT = Recomputation(NOW, NOW, "seed: stored 1, recomputed 2")


@pytest.mark.parametrize(
    ("results", "counts", "exit_code"),
    [
        ([], (0, 0, 0), PASSED),
        ([IDENTICAL], (1, 0, 0), PASSED),
        ([IDENTICAL, OTHER_METHOD], (1, 0, 1), PASSED),
        ([IDENTICAL, OTHER_METHOD, DIFFERENT], (1, 1, 1), REGRESSED),
    ],
)
def test_only_a_difference_by_the_same_method_fails(results: list[Recomputation], counts: object, exit_code: int):
    """Verdicts by another method are counted apart, and leave the exit code at 0."""
    result = report(results, with_total=True)
    assert (result.data["identical"], result.data["different"], result.data["other_method"]) == counts
    assert result.exit_code == exit_code


def test_a_verdict_by_another_method_is_shown_with_both_methods_and_names():
    """The line names the method and the verdict of then and of now, and the first difference."""
    result = report([OTHER_METHOD], with_total=False)
    line = str(result.output[0])
    assert line.startswith(f"↷ {THEN.verdict_id}  passed on production")
    assert (
        f"decided by sign-test/1; this version decides by {NOW.method}: passed then, inconclusive now; "
        "first difference: seed: stored 1, recomputed 2" in line
    )
    row = result.data["verdicts"][0]
    assert (row["identical"], row["other_method"], row["verdict"], row["recomputed_verdict"]) == (
        False,
        True,
        "passed",
        "inconclusive",
    )

"""The demo fails if one of its promises is not kept."""

from typing import Any

import pytest

from monitor.demo.scripts import FAST
from monitor.demo.story import problems_of

PASSED = {"verdict": "passed", "rankings_changed": {"broad": 0.2, "compositional": 1.0}}
EXACT = {"verdict": "passed", "rankings_changed": {"broad": 0.0, "compositional": 0.0}}
GOOD = {
    "verdict": "trade_off",
    "detected": True,
    "alert_delivered": True,
    "forward_fix": [PASSED, PASSED],
    "resolved": True,
}


def test_a_demo_that_keeps_its_promises_has_no_problems():
    """A trade-off that was paged, and a fix that passed twice and resolved it."""
    assert problems_of(GOOD) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"verdict": "regressed", "detected": False}, "the verdict is regressed, not trade_off"),
        ({"alert_delivered": False}, "no alert about the trade-off arrived"),
        (
            {"forward_fix": [PASSED, {**PASSED, "verdict": "inconclusive"}]},
            "the verdicts on the fix are ['passed', 'inconclusive']",
        ),
        ({"forward_fix": [EXACT, EXACT]}, "the forward fix changed no ranking"),
        ({"resolved": False}, "the alert was not resolved"),
    ],
)
def test_each_promise_that_is_not_kept_is_a_problem(change: dict[str, Any], problem: str):
    """Another verdict, a missing message, and a fix that changed nothing all fail the demo."""
    assert problems_of({**GOOD, **change}) == [problem]


def test_the_fast_demo_promises_a_regression_and_an_exact_rollback():
    """Words alone gain no structure: the verdict is another one, and a rollback changes no ranking."""
    outcome = {**GOOD, "verdict": "regressed", "forward_fix": [EXACT]}
    assert problems_of(outcome, FAST) == []
    assert problems_of({**outcome, "verdict": "trade_off", "detected": False}, FAST) == [
        "the verdict is trade_off, not regressed"
    ]

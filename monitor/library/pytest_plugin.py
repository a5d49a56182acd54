"""A pytest fixture: a test fails if a candidate retriever is worse than its baseline.

def test_the_new_model_is_no_worse(recallwatch_gate):
    recallwatch_gate(baseline=old_search, candidate=new_search, suites=["builtin:broad", "builtin:compositional"])
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from monitor.model.policies import Policy
    from monitor.model.verdicts import Verdict

Gate = Callable[..., "Verdict"]


@pytest.fixture
def recallwatch_gate() -> Gate:
    """A function that measures both retrievers on the suites, and fails the test if the candidate regressed."""
    return _gate


def _gate(
    *,
    baseline: Any,
    candidate: Any,
    suites: Sequence[Any],
    policy: Policy | None = None,
    fail_on: Collection[str] = ("regressed", "trade_off", "invalid"),
    **options: Any,
) -> Verdict:
    """The verdict. ``fail_on`` names the verdicts that fail the test; the other options are those of `measure`."""
    from monitor.library.measuring import DEFAULT_POLICY, compare, measure

    rule = policy or DEFAULT_POLICY
    before, after = (
        [measure(side, suite, policy=rule, **options) for suite in suites] for side in (baseline, candidate)
    )
    verdict = compare(before, after, policy=rule)
    if verdict.name in fail_on:
        pytest.fail(f"recallwatch: {verdict.name}: {verdict.summary} Advice: {verdict.advice}.", pytrace=False)
    return verdict

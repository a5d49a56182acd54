"""Recomputing a stored verdict: what counts as identical, and how a difference is named."""

import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.decision.verdict import RUN_BEFORE, decide
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.runs import RunStatus
from monitor.model.verdicts import Look, Verdict, VerdictName
from monitor.plan import Plan
from monitor.service.recomputation import differences, recompute
from tests.builders import a_measured, a_query, a_suite

AT = datetime(2026, 3, 1, tzinfo=UTC)
SUITE = a_suite(*(a_query(f"q{n}") for n in range(40)))
POLICY = Policy(resamples=999)


def ranked(run_id: str, n_wrong: int) -> Measured:
    """A run in which the first queries miss their document."""
    return a_measured(SUITE, {f"q{n}": ["x" if n < n_wrong else "d1"] for n in range(40)}, run_id=run_id)


BASELINE, BEFORE, CANDIDATE = ranked("baseline", 0), ranked("before", 9), ranked("candidate", 20)


def stored(look: Look | None = Look(2, "a swap", 0.005), *, policy: Policy = POLICY) -> tuple[MemoryStore, Verdict]:  # noqa: B008
    """A store with three runs and one verdict on the last."""
    plan = Plan(target="production", suites=(SUITE,), policy=policy)
    result = SuiteResult(measured=CANDIDATE, baseline=BASELINE, previous=BEFORE)
    verdict = decide(plan, [result], look, cycle_id="cycle-1", at=AT)
    store = MemoryStore()

    async def fill() -> None:
        await store.save_suite(SUITE)
        for measured in (BASELINE, BEFORE, CANDIDATE):
            await store.start_run(replace(measured.run, outcomes=(), status=RunStatus.RUNNING))
            await store.save_outcomes(measured.run.run_id, measured.run.outcomes)
            await store.finish_run(measured)

    asyncio.run(fill())
    return store, verdict


@pytest.mark.parametrize(
    ("look", "name"),
    [
        (Look(2, "a swap", 0.005), VerdictName.REGRESSED),
        (Look(0, "on request", 0.01), VerdictName.REGRESSED),
        (None, VerdictName.INCONCLUSIVE),
    ],
)
def test_a_verdict_is_recomputed_as_the_look_that_it_was(look: Look | None, name: VerdictName):
    """A look of the year, a look on demand and a cycle without a look each give their own verdict again."""
    store, verdict = stored(look)
    assert verdict.name is name
    assert asyncio.run(recompute(verdict, store)).first_difference == ""


def test_the_smallest_change_of_a_float_is_a_difference():
    """Evidence is compared exactly, and the first difference names field, stratum and measure."""
    store, verdict = stored()
    first = verdict.evidence[0]
    evidence = (replace(first, p_worse=math.nextafter(first.p_worse, 1)), *verdict.evidence[1:])
    result = asyncio.run(recompute(replace(verdict, evidence=evidence), store))
    assert not result.is_identical
    assert result.first_difference.startswith(f"p_worse of broad {first.stratum} {first.measure}: stored ")


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"name": VerdictName.PASSED}, "name: stored passed, recomputed regressed"),
        ({"seed": 1}, "seed: stored 1, recomputed "),
        ({"evidence": ()}, "only recomputed"),
        ({"insights": {RUN_BEFORE: {"verdict": "passed", "runs": {"broad": ["before", "candidate"]}}}}, "run before"),
        ({"run_ids": ("lost",)}, "cannot be recomputed: no run lost"),
    ],
)
def test_each_kind_of_difference_is_named(changes: dict[str, object], difference: str):
    """Name, seed, evidence, the run before a swap, and a run that is no longer stored."""
    store, verdict = stored()
    assert difference in asyncio.run(recompute(replace(verdict, **changes), store)).first_difference


def test_a_verdict_by_another_method_is_neither_identical_nor_different():
    """Another procedure may give another verdict; the first difference besides the name is still reported."""
    store, verdict = stored()
    earlier = replace(verdict, method="cluster-sign-flip-maxt/3", name=VerdictName.INCONCLUSIVE)
    result = asyncio.run(recompute(earlier, store))
    assert (result.is_by_other_method, result.is_identical, result.is_different) == (True, False, False)
    assert result.first_difference == ""
    assert result.recomputed is not None
    assert result.recomputed.name is VerdictName.REGRESSED
    result = asyncio.run(recompute(replace(earlier, seed=1), store))
    assert not result.is_different
    assert result.first_difference.startswith("seed: stored 1, recomputed ")


def test_a_verdict_by_another_method_whose_runs_are_lost_is_different():
    """A verdict that cannot be recomputed is a difference, whichever method decided it."""
    store, verdict = stored()
    result = asyncio.run(recompute(replace(verdict, method="cluster-sign-flip-maxt/3", run_ids=("lost",)), store))
    assert result.is_different
    assert result.recomputed is None


def test_a_measure_that_was_added_later_is_left_out():
    """A verdict is recomputed on the measures of its time: here without success@5."""
    store, verdict = stored()
    names = {"recall@10", "recall@5", "ndcg@10", "mrr@10"}
    plan = Plan(target="production", suites=(SUITE,), policy=POLICY)
    before, after = (
        replace(measured, measurements={name: measured.measurements[name] for name in names})
        for measured in (BASELINE, CANDIDATE)
    )
    earlier = decide(
        plan,
        [SuiteResult(measured=after, baseline=before)],
        Look(0, "on request", 0.01),
        cycle_id="cycle-1",
        at=AT,
    )
    assert {row.measure for row in earlier.evidence} == names < {row.measure for row in verdict.evidence}
    assert asyncio.run(recompute(earlier, store)).first_difference == ""


def test_infinities_and_nan_are_equal_to_the_null_that_a_database_stores():
    """A number that JSON does not have comes back as NaN; that is no difference."""
    _, verdict = stored()
    first = verdict.evidence[0]
    one, other = (replace(verdict, evidence=(replace(first, mde=value),)) for value in (math.inf, math.nan))
    assert list(differences(one, other)) == []

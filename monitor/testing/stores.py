"""Contract of a store: suites, runs and baselines. A check takes an open, empty store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor.errors import StoreError
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.deployments import Baseline
from monitor.model.measurements import Measured
from monitor.model.runs import Outcome, RunStatus
from monitor.model.suites import Suite
from monitor.ports.store import Store
from monitor.testing.runs import NOW, a_run, a_suite, outcomes_of

Check = Callable[[Store], Coroutine[Any, Any, None]]


async def loads_a_suite_as_it_was_saved(store: Store) -> None:
    """A saved suite is loaded equal to the original, also after being saved twice."""
    suite = a_suite()
    await store.save_suite(suite)
    await store.save_suite(suite)
    assert await store.load_suite(suite.digest) == suite, "the loaded suite differs"
    await _is_refused(store.load_suite("nope"), "no suite with digest nope")


async def loads_every_outcome_unrounded(store: Store) -> None:
    """Rankings, scores, failures, skips and durations are loaded exactly as they were saved."""
    suite = a_suite()
    await store.save_suite(suite)
    await store.start_run(a_run(suite))
    outcomes = (*outcomes_of(suite, failing=3)[:-1], Outcome(query_id=suite.queries[-1].query_id))
    await store.save_outcomes("run-1", outcomes[:10])
    await store.save_outcomes("run-1", outcomes[10:])
    run = await store.load_run("run-1")
    assert _by_query(run.outcomes) == _by_query(outcomes), "the loaded outcomes differ"
    assert replace(run, outcomes=()) == a_run(suite), "the loaded run differs"


async def keeps_one_outcome_for_each_query(store: Store) -> None:
    """A second outcome for a query is refused together with its whole batch."""
    suite = a_suite()
    await store.save_suite(suite)
    await store.start_run(a_run(suite))
    outcomes = outcomes_of(suite)
    await store.save_outcomes("run-1", outcomes[:5])
    await _is_refused(store.save_outcomes("run-1", outcomes[4:9]), "")
    assert len((await store.load_run("run-1")).outcomes) == 5, "a part of the refused batch was kept"


async def closes_a_run_once(store: Store) -> None:
    """Only a running run can finish, be interrupted or take outcomes."""
    suite = a_suite()
    measured = await save_finished_run(store, suite)
    assert not await store.interrupt_run("run-1", NOW), "a finished run was interrupted"
    await store.start_run(a_run(suite, "run-2"))
    assert await store.interrupt_run("run-2", NOW), "a running run was not interrupted"
    second = replace(measured, run=replace(measured.run, run_id="run-2"))
    await _is_refused(store.finish_run(second), "no longer running")
    for closed in ("run-2", "run-that-never-was"):
        await _is_refused(store.save_outcomes(closed, outcomes_of(suite)), "no longer running")
    statuses = {run.run_id: run.status for run in await store.list_runs()}
    assert statuses == {"run-1": RunStatus.FINISHED, "run-2": RunStatus.INTERRUPTED}, statuses


async def finds_the_latest_finished_run(store: Store) -> None:
    """Running and interrupted runs are passed over, and ``before`` is exclusive."""
    suite = a_suite()
    await save_finished_run(store, suite, "old", minutes=0)
    await save_finished_run(store, suite, "new", minutes=5)
    await store.start_run(a_run(suite, "running", minutes=9))
    latest = await store.latest_run("target", "sample")
    earlier = await store.latest_run("target", "sample", before=NOW + timedelta(minutes=5))
    assert (latest and latest.run_id, earlier and earlier.run_id) == ("new", "old"), (latest, earlier)
    assert await store.latest_run("target", "other") is None, "a suite without runs has a latest run"
    assert [run.run_id for run in await store.list_runs(limit=2)] == ["running", "new"], "runs are not newest first"


async def keeps_one_baseline_for_each_target_and_suite(store: Store) -> None:
    """A promotion replaces the baseline of its own target and suite, with author and reason."""
    suite = a_suite()
    await save_finished_run(store, suite, "one")
    await save_finished_run(store, suite, "two", minutes=1)
    first = Baseline(
        target="target", suite_name="sample", run_id="one", promoted_by="ada", reason="first", promoted_at=NOW
    )
    second = replace(first, run_id="two", promoted_by="bob", reason="better", promoted_at=NOW + timedelta(days=1))
    other = replace(first, suite_name="another", reason="other")
    for baseline in (first, other, second):
        await store.promote(baseline)
    assert await store.baseline("target", "sample") == second, "the newer promotion does not hold"
    assert await store.baseline("target", "another") == other, "the baseline of another suite moved"
    assert await store.baseline("elsewhere", "sample") is None, "a target without promotion has a baseline"
    assert len(await store.baselines()) == 2, "a replaced baseline is still listed"


CHECKS: tuple[Check, ...] = (
    loads_a_suite_as_it_was_saved,
    loads_every_outcome_unrounded,
    keeps_one_outcome_for_each_query,
    closes_a_run_once,
    finds_the_latest_finished_run,
    keeps_one_baseline_for_each_target_and_suite,
)


async def save_finished_run(
    store: Store, suite: Suite, run_id: str = "run-1", *, minutes: int = 0, are_found: bool = True
) -> Measured:
    """Save a replayed and measured run with all its outcomes."""
    run = a_run(suite, run_id, minutes=minutes)
    outcomes = outcomes_of(suite, are_found=are_found)
    await store.save_suite(suite)
    await store.start_run(run)
    await store.save_outcomes(run.run_id, outcomes)
    done = replace(
        run,
        outcomes=outcomes,
        status=RunStatus.FINISHED,
        finished_at=NOW,
        fingerprint=fingerprint(outcomes),
        deployment="v1",
    )
    measured = measure(done, suite)
    await store.finish_run(measured)
    return measured


def _by_query(outcomes: tuple[Outcome, ...]) -> list[Outcome]:
    return sorted(outcomes, key=lambda outcome: outcome.query_id)


async def _is_refused(work: Awaitable[object], problem: str) -> None:
    try:
        await work
    except StoreError as error:
        assert problem in str(error), f"{error} does not say: {problem}"
    else:
        raise AssertionError(f"the store did not refuse: {problem}")

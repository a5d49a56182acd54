"""What every store promises, shown on each of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.adapters.stores.memory import MemoryStore
from monitor.adapters.stores.postgres import PostgresStore
from monitor.cycle import Plan, decide
from monitor.decision.incidents import advance, dedup_key
from monitor.errors import Reason, StoreError
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model import Axis, Failure, Measured, Outcome, Pair, Query, Ranking, Run, RunStatus, Suite
from monitor.ports import Store
from monitor.report import verdict_to_dict
from monitor.suites.reading import digest_of
from monitor.verdict import Baseline, Policy, Swap, Verdict, VerdictName

pytestmark = pytest.mark.slow
BOTH = ("pager", "chat")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Check = Callable[[Store], Awaitable[None]]


@pytest.fixture(params=["memory", "postgres"])
def check(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Run a check against an open store of each kind."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        store: Store = PostgresStore(url) if url else MemoryStore()
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    def run(body: Check) -> None:
        async def with_store() -> None:
            async with opened() as store:
                await body(store)

        asyncio.run(with_store())

    return run


def a_suite(n_queries: int = 24) -> Suite:
    """Two strata, one of them a control, and a pair."""
    queries = tuple(
        Query(f"q{i}", f"Question {i}?", "north" if i % 2 else "south", f"c{i}", {f"d{i}": 2, "other": 0}, ("yes",))
        for i in range(n_queries)
    )
    suite = Suite("sample", "1", Axis.BROAD, queries, (Pair("q1", "d1", "d2", "q2"),), frozenset({"south"}))
    return replace(suite, digest=digest_of(suite))


def a_run(suite: Suite, run_id: str = "run-1", *, minutes: int = 0) -> Run:
    """A run that has just started."""
    return Run(
        run_id, "cycle-1", "target", suite.name, suite.digest, suite.axis, 10, NOW + timedelta(minutes=minutes),
        owner="host/1/2",
    )  # fmt: skip


def outcomes_of(suite: Suite, *, found: bool = True, failing: int = 0) -> tuple[Outcome, ...]:
    """Rankings with awkward ids and scores, the first ``failing`` of them failures."""
    first = "d{}" if found else "nothing{}"
    rankings = [
        Outcome(
            query.query_id,
            Ranking((first.format(i), "x\ty", 'say "z"'), (0.1 + 1e-17 * i, 1 / 3, -2.5), "v1"),
            None,
            0.25,
        )
        for i, query in enumerate(suite.queries)
    ]
    for i in range(failing):
        rankings[i] = Outcome(suite.queries[i].query_id, None, Failure(Reason.TIMEOUT, "no answer"), 1.5)
    return tuple(rankings)


async def a_finished_run(
    store: Store, suite: Suite, run_id: str = "run-1", *, minutes: int = 0, found: bool = True
) -> Measured:
    """A run that was replayed, measured and kept."""
    run = a_run(suite, run_id, minutes=minutes)
    outcomes = outcomes_of(suite, found=found)
    await store.save_suite(suite)
    await store.start_run(run)
    await store.save_outcomes(run.run_id, outcomes)
    seen = fingerprint(outcomes)
    done = replace(
        run, outcomes=outcomes, status=RunStatus.FINISHED, finished_at=NOW, fingerprint=seen, deployment="v1"
    )
    measured = measure(done, suite)
    await store.finish_run(measured)
    return measured


def test_a_suite_comes_back_as_it_was_saved(check: Callable[[Check], None]) -> None:
    """A saved suite is loaded equal to what was saved, also after being saved twice."""

    async def body(store: Store) -> None:
        suite = a_suite()
        await store.save_suite(suite)
        await store.save_suite(suite)
        assert await store.load_suite(suite.digest) == suite
        with pytest.raises(StoreError, match="no suite with digest nope"):
            await store.load_suite("nope")

    check(body)


def test_a_run_comes_back_with_every_outcome_unrounded(check: Callable[[Check], None]) -> None:
    """Rankings, scores, failures, skips and durations are loaded exactly as they were saved."""

    async def body(store: Store) -> None:
        suite = a_suite()
        await store.save_suite(suite)
        await store.start_run(a_run(suite))
        outcomes = (*outcomes_of(suite, failing=3)[:-1], Outcome(suite.queries[-1].query_id))
        await store.save_outcomes("run-1", outcomes[:10])
        await store.save_outcomes("run-1", outcomes[10:])
        loaded = await store.load_run("run-1")
        assert sorted(loaded.outcomes, key=lambda o: o.query_id) == sorted(outcomes, key=lambda o: o.query_id)
        assert replace(loaded, outcomes=()) == a_run(suite)

    check(body)


def test_a_query_has_one_outcome_and_a_refused_batch_leaves_nothing(check: Callable[[Check], None]) -> None:
    """A second outcome for a query is refused together with the batch that holds it."""

    async def body(store: Store) -> None:
        suite = a_suite()
        await store.save_suite(suite)
        await store.start_run(a_run(suite))
        outcomes = outcomes_of(suite)
        await store.save_outcomes("run-1", outcomes[:5])
        with pytest.raises(StoreError):
            await store.save_outcomes("run-1", outcomes[4:9])
        assert len((await store.load_run("run-1")).outcomes) == 5

    check(body)


def test_only_a_running_run_can_finish_or_be_interrupted(check: Callable[[Check], None]) -> None:
    """A run is closed once: whoever comes second is told so, and nothing is added to it."""

    async def body(store: Store) -> None:
        suite = a_suite()
        measured = await a_finished_run(store, suite)
        assert not await store.interrupt_run("run-1", NOW)
        await store.start_run(a_run(suite, "run-2"))
        assert await store.interrupt_run("run-2", NOW)
        with pytest.raises(StoreError, match="not running any more"):
            await store.finish_run(replace(measured, run=replace(measured.run, run_id="run-2")))
        for closed in ("run-2", "run-that-never-was"):
            with pytest.raises(StoreError, match="not running any more"):
                await store.save_outcomes(closed, outcomes_of(suite))
        statuses = {run.run_id: run.status for run in await store.list_runs()}
        assert statuses == {"run-1": RunStatus.FINISHED, "run-2": RunStatus.INTERRUPTED}

    check(body)


def test_the_latest_run_is_the_last_finished_one(check: Callable[[Check], None]) -> None:
    """Running and interrupted runs are passed over, and ``before`` is exclusive."""

    async def body(store: Store) -> None:
        suite = a_suite()
        await a_finished_run(store, suite, "old", minutes=0)
        await a_finished_run(store, suite, "new", minutes=5)
        await store.start_run(a_run(suite, "running", minutes=9))
        latest = await store.latest_run("target", "sample")
        before = await store.latest_run("target", "sample", before=NOW + timedelta(minutes=5))
        assert (latest and latest.run_id, before and before.run_id) == ("new", "old")
        assert await store.latest_run("target", "other") is None
        assert [run.run_id for run in await store.list_runs(limit=2)] == ["running", "new"]

    check(body)


def test_a_promotion_replaces_the_baseline_of_its_target_and_suite_alone(check: Callable[[Check], None]) -> None:
    """There is one baseline for a target and suite, with who promoted it and why."""

    async def body(store: Store) -> None:
        suite = a_suite()
        await a_finished_run(store, suite, "one")
        await a_finished_run(store, suite, "two", minutes=1)
        first = Baseline("target", "sample", "one", "ada", "first", NOW)
        second = Baseline("target", "sample", "two", "bob", "better", NOW + timedelta(days=1))
        other = Baseline("target", "another", "one", "ada", "other", NOW)
        for baseline in (first, other, second):
            await store.promote(baseline)
        assert await store.baseline("target", "sample") == second
        assert await store.baseline("target", "another") == other
        assert await store.baseline("elsewhere", "sample") is None
        assert len(await store.baselines()) == 2

    check(body)


async def a_decision(store: Store) -> tuple[Measured, Measured]:
    """A regression, decided and queued for two notifiers."""
    suite = a_suite()
    before = await a_finished_run(store, suite, "before")
    after = await a_finished_run(store, suite, "after", minutes=1, found=False)
    await store.save_swap(Swap("target", "sample", "after", "before", True, 1.0, NOW))
    plan = Plan("target", (suite,), Policy(resamples=999))
    verdict = decide(plan, [after], [before], cycle_id="cycle-1", at=NOW)
    incident, alerts = advance(await store.open_incident(dedup_key("target")), verdict)
    await store.save_decision(verdict, incident, alerts, ["pager", "chat"])
    assert verdict.name is VerdictName.REGRESSED
    return before, after


def test_a_verdict_comes_back_so_that_it_can_be_decided_again(check: Callable[[Check], None]) -> None:
    """From the stored runs, suite, policy and seed alone the same verdict follows, to the last digit."""

    async def body(store: Store) -> None:
        await a_decision(store)
        verdict = await store.latest_verdict("target")
        assert verdict is not None
        runs = [await store.load_run(run_id) for run_id in (*verdict.baseline_run_ids, *verdict.run_ids)]
        before, after = [measure(run, await store.load_suite(run.suite_digest)) for run in runs]
        plan = Plan("target", (after.suite,), verdict.policy)
        again = decide(plan, [after], [before], cycle_id=verdict.cycle_id, at=verdict.decided_at)
        assert _told(replace(again, verdict_id=verdict.verdict_id)) == _told(verdict)

    check(body)


def _told(verdict: Verdict) -> str:
    return json.dumps(verdict_to_dict(verdict), sort_keys=True, default=str)


def test_incident_and_alerts_are_queued_with_the_verdict(check: Callable[[Check], None]) -> None:
    """A verdict that pages leaves one open incident and one delivery for each notifier."""

    async def body(store: Store) -> None:
        await a_decision(store)
        incident = await store.open_incident(dedup_key("target"))
        assert incident is not None
        assert incident.is_open
        assert await store.count_deliveries() == {"pending": 2, "delivered": 0, "dead": 0}
        leased = await store.lease_deliveries(BOTH, 10, NOW, 60)
        assert {delivery.notifier for delivery in leased} == {"pager", "chat"}
        assert len({delivery.alert.alert_id for delivery in leased}) == 1
        assert leased[0].alert.payload["data"]["verdict"] == "regressed"

    check(body)


def test_a_lease_holds_until_it_ends(check: Callable[[Check], None]) -> None:
    """A leased delivery is nobody else's until the lease ends, and then comes back with its attempts counted."""

    async def body(store: Store) -> None:
        await a_decision(store)
        assert len(await store.lease_deliveries(BOTH, 1, NOW, 60)) == 1
        assert len(await store.lease_deliveries(BOTH, 10, NOW, 60)) == 1
        assert await store.lease_deliveries(BOTH, 10, NOW + timedelta(seconds=59), 60) == []
        again = await store.lease_deliveries(BOTH, 10, NOW + timedelta(seconds=61), 60)
        assert [delivery.attempts for delivery in again] == [2, 2]

    check(body)


def test_a_delivery_ends_delivered_or_dead_and_waits_in_between(check: Callable[[Check], None]) -> None:
    """Delivered and dead deliveries are never leased again; one put back is leased when its time has come."""

    async def body(store: Store) -> None:
        await a_decision(store)
        one, two = await store.lease_deliveries(BOTH, 10, NOW, 60)
        await store.mark_delivered(one.delivery_id, NOW)
        later = NOW + timedelta(seconds=30)
        await store.mark_undelivered(two.delivery_id, Reason.BROKEN, "HTTP 500", next_attempt_at=later)
        assert await store.lease_deliveries(BOTH, 10, NOW, 60) == []
        assert [d.delivery_id for d in await store.lease_deliveries(BOTH, 10, later, 60)] == [two.delivery_id]
        await store.mark_undelivered(two.delivery_id, Reason.REJECTED, "HTTP 404", next_attempt_at=None)
        assert await store.count_deliveries() == {"pending": 0, "delivered": 1, "dead": 1}

    check(body)


def test_the_resolved_alert_waits_for_the_firing_one(check: Callable[[Check], None]) -> None:
    """Alerts of one incident reach a notifier in order, even when the first has to be sent again."""

    async def body(store: Store) -> None:
        before, _ = await a_decision(store)
        recovered = await a_finished_run(store, before.suite, "recovered", minutes=2)
        plan = Plan("target", (before.suite,), Policy(resamples=999))
        verdict = decide(plan, [recovered], [before], cycle_id="cycle-2", at=NOW + timedelta(minutes=2))
        incident, alerts = advance(await store.open_incident(dedup_key("target")), verdict)
        await store.save_decision(verdict, incident, alerts, ["pager"])
        assert verdict.name is VerdictName.PASSED
        assert await store.open_incident(dedup_key("target")) is None
        late = NOW + timedelta(minutes=5)
        first = [d for d in await store.lease_deliveries(BOTH, 10, late, 60) if d.notifier == "pager"]
        assert [d.alert.state for d in first] == ["firing"]
        await store.mark_delivered(first[0].delivery_id, late)
        second = await store.lease_deliveries(BOTH, 10, late, 60)
        assert [d.alert.state for d in second] == ["resolved"]

    check(body)

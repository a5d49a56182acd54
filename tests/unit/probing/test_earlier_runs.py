"""The baseline of a suite is loaded and measured once, while it and the measures stay the same."""

import asyncio
from dataclasses import dataclass, field, replace

from monitor.adapters.retrievers.callable.retriever import CallableOptions, CallableRetriever
from monitor.adapters.stores.memory.store import MemoryStore
from monitor.incidents.routing import OnCall
from monitor.model.deployments import Baseline
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.runs import Run
from monitor.plan import Plan
from monitor.probing.earlier_runs import load_baseline
from monitor.testing.runs import NOW, a_suite
from monitor.testing.stores import save_finished_run
from monitor.world import LatestCycles, MeasuredRuns, World


@dataclass(slots=True)
class CountingStore(MemoryStore):
    """A store that records which runs are loaded."""

    loaded: list[str] = field(default_factory=list)

    async def load_run(self, run_id: str) -> Run:
        """One run with its outcomes."""
        self.loaded.append(run_id)
        return await MemoryStore.load_run(self, run_id)


async def prepare() -> tuple[CountingStore, Measured, Plan]:
    """A store with two finished runs, of which the first is the baseline."""
    store, suite = CountingStore(), a_suite()
    first = await save_finished_run(store, suite, "first")
    await save_finished_run(store, suite, "second", minutes=1)
    await promote(store, "first")
    return store, first, Plan(target="target", suites=(suite,), policy=Policy())


async def promote(store: MemoryStore, run_id: str) -> None:
    """Make a run the baseline."""
    await store.promote(
        Baseline(
            target="target", suite_name="sample", run_id=run_id, promoted_by="ada", reason="checked", promoted_at=NOW
        )
    )


def a_world(store: MemoryStore, baselines: MeasuredRuns) -> World:
    """A world around a store."""
    return World(
        store=store,
        retriever=CallableRetriever(CallableOptions(call="json:dumps")),
        on_call=OnCall(),
        now=lambda: NOW,
        owner="host/1/2",
        latest=LatestCycles(measured=baselines),
    )


def test_an_unchanged_baseline_is_loaded_once() -> None:
    """A second cycle gets the same measured run; a promotion or other measures load again."""

    async def body() -> None:
        store, candidate, plan = await prepare()
        world = a_world(store, MeasuredRuns())
        first = await load_baseline(candidate, plan, world)
        assert await load_baseline(candidate, plan, world) is first
        assert store.loaded == ["first"]
        await promote(store, "second")
        assert (again := await load_baseline(candidate, plan, world)) is not None
        assert again.run.run_id == "second"
        wider = replace(plan, policy=replace(plan.policy, gating={candidate.suite.axis: ("recall@3",)}))
        assert (other := await load_baseline(candidate, wider, world)) is not None
        assert "recall@3" in other.measurements
        assert store.loaded == ["first", "second", "second"]

    asyncio.run(body())


def test_baselines_are_kept_within_a_limit() -> None:
    """A baseline with more hits than the limit is measured in every cycle and takes no memory between them."""

    async def body() -> None:
        store, candidate, plan = await prepare()
        world = a_world(store, MeasuredRuns(most_hits=10))
        await load_baseline(candidate, plan, world)
        await load_baseline(candidate, plan, world)
        assert store.loaded == ["first", "first"]

    asyncio.run(body())

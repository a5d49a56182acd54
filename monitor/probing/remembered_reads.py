"""A store that reads again only what changed: everything that decisions about one target read.

One query returns the revisions of all of it. What has the same revision as before is not loaded again, so that a cycle
without a change reads one row. Two processes stay correct: each sees the other's changes by their revisions, and a
decision is stored only as the next revision of the state that it was made on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from monitor.model.decisions import Decision, Revisions
from monitor.model.deployments import Baseline, Deployment, Swap
from monitor.model.incidents import Incident, IncidentKind
from monitor.model.noise import DetectorState
from monitor.model.silences import Silence
from monitor.model.snapshots import Snapshot
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.world import RememberedReads, World


def with_memory(world: World, plan: Plan) -> tuple[World, RememberingStore]:
    """The surroundings of the cycles of a plan, and their store, which remembers what earlier cycles read."""
    suite_names = tuple(suite.name for suite in plan.suites)
    reads = world.latest.reads.setdefault(suite_names, RememberedReads())
    reads.revisions = None  # those of the cycle before may be old
    store = RememberingStore(world.store, plan.target, suite_names, reads)
    return replace(world, store=cast("Store", store)), store


class RememberingStore:
    """The store of one target for its cycles; whatever is not remembered goes to the store itself."""

    def __init__(self, store: Store, target: str, suite_names: Sequence[str], reads: RememberedReads) -> None:
        self._store, self._target, self._suite_names, self._reads = store, target, tuple(suite_names), reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def refresh(self) -> None:
        """Read the present revisions: what changed since is loaded again."""
        self._reads.revisions = await self._store.revisions(self._target, self._suite_names)

    async def detector_state(self, target: str, suite_name: str) -> DetectorState | None:
        """The state of change detection for a target and suite."""
        revision = (await self._now()).states.get(suite_name)
        if revision is None:
            return None
        load = partial(self._store.detector_state, target, suite_name)
        return await self._reads.read(f"state {suite_name}", revision, load)

    async def baseline(self, target: str, suite_name: str) -> Baseline | None:
        """The current baseline."""
        run_id = (await self._now()).baselines.get(suite_name)
        if run_id is None:
            return None
        load = partial(self._store.baseline, target, suite_name)
        return await self._reads.read(f"baseline {suite_name}", run_id, load)

    async def snapshot(self, target: str, suite_name: str) -> Snapshot | None:
        """The latest vectors of the canaries."""
        run_id = (await self._now()).snapshots.get(suite_name)
        if run_id is None:
            return None
        load = partial(self._store.snapshot, target, suite_name)
        return await self._reads.read(f"snapshot {suite_name}", run_id, load)

    async def deployments(self, target: str | None = None, limit: int = 50) -> list[Deployment]:
        """Declared deployments, newest first."""
        load = partial(self._store.deployments, target, limit)
        return await self._reads.read(f"deployments {limit}", (await self._now()).deployments, load)

    async def latest_swap(self, target: str, suite_names: Sequence[str]) -> Swap | None:
        """The latest change of the deployment of a target that was detected in one of these suites."""
        load = partial(self._store.latest_swap, target, suite_names)
        return await self._reads.read("swap", (await self._now()).swaps, load)

    async def find_incident(self, kind: IncidentKind, subject: str, dedup_key: str = "") -> Incident | None:
        """The active incident about the target, else the latest one with this key."""
        load = partial(self._store.find_incident, kind, subject, dedup_key)
        return await self._reads.read(f"incident {kind} {dedup_key}", (await self._now()).incidents, load)

    async def incidents_of(self, kind: IncidentKind, subject: str, limit: int = 50) -> list[Incident]:
        """The incidents about the target: an active one first, then the latest ones."""
        load = partial(self._store.incidents_of, kind, subject, limit)
        return await self._reads.read(f"incidents {kind} {limit}", (await self._now()).incidents, load)

    async def silences(self, *, ended: bool = False) -> list[Silence]:
        """Silences set by people, newest first."""
        load = partial(self._store.silences, ended=ended)
        return await self._reads.read(f"silences {ended}", (await self._now()).silences, load)

    async def save_decision(self, decision: Decision) -> bool:
        """Store the decision of one cycle in one transaction, and remember the states that it stored."""
        if not await self._store.save_decision(decision):
            return False
        for suite_name, state in decision.states.items():
            self._reads.keep(f"state {suite_name}", state.revision, state)
        return True

    async def _now(self) -> Revisions:
        """The revisions at the latest refresh of this cycle; read now if there was none."""
        if self._reads.revisions is None:
            await self.refresh()
        return cast("Revisions", self._reads.revisions)

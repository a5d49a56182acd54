"""Real swaps judged by whole cycles: probe, measure, detect the change, name its cause, decide.

Each swap goes the way of a scheduled cycle, `run_cycle`, with the store in memory and a retriever in this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.study.harmless_swaps import Swap
from benchmarks.study.served import ServedSpace
from benchmarks.study.structure import Changes
from benchmarks.validity.evaluation_sets import EvaluationSet
from monitor.adapters.stores.memory.store import MemoryStore
from monitor.change_detection.swaps import share_changed
from monitor.cycle import Report, run_cycle
from monitor.incidents.routing import OnCall
from monitor.model.deployments import Baseline
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.model.verdicts import VerdictName
from monitor.plan import Plan
from monitor.world import World

_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSwap:
    """The runs of one swap and its two verdicts."""

    name: str
    before: dict[Axis, Measured]
    after: dict[Axis, Measured]
    structure: Changes
    """The changes on the compositional suite."""
    silent: Report
    declared: Report

    def change(self, measure: str) -> float:
        """Mean change of a measure of the broad suite, in points."""
        means = [runs[Axis.BROAD].measurements[measure].mean for runs in (self.before, self.after)]
        return 100 * (means[1] - means[0])

    def relative(self, measure: str) -> float:
        """Change of a measure of the broad suite as a share of its mean before."""
        return self.change(measure) / 100 / self.before[Axis.BROAD].measurements[measure].mean

    @property
    def names(self) -> tuple[VerdictName, VerdictName]:
        """The verdicts on the declared and on the silent swap."""
        return self.declared.verdict.name, self.silent.verdict.name

    @property
    def cause(self) -> str:
        """The causes that the silent cycle names, one for each suite, without repetitions."""
        return ", ".join(dict.fromkeys(swap.cause for swap in self.silent.swaps if swap.cause)) or "–"

    @property
    def share_changed(self) -> float:
        """Share of the rankings of both suites that changed."""
        shares = [share_changed(self.before[each].run.outcomes, self.after[each].run.outcomes) for each in Axis]
        return float(np.average(shares, weights=[len(self.before[each].suite.queries) for each in Axis]))


class Target:
    """A target that was watched and promoted before any swap, silent and with a declared name."""

    def __init__(self, sets: Sequence[EvaluationSet], before: ServedSpace) -> None:
        self._plan = Plan(target="target", suites=tuple(each.suite for each in sets), policy=Policy())
        self._hours = iter(range(1_000_000))
        self._worlds = [self._world(replace(before, deployment=name)) for name in (None, "before")]
        self.first_report, _ = (asyncio.run(self._settle(world)) for world in self._worlds)

    def judge(self, swap: Swap) -> JudgedSwap:
        """Both suites judged together after the swap, once silent and once declared by the target."""
        reports = [
            asyncio.run(run_cycle(self._plan, _fork(world, replace(swap.after, deployment=name))))
            for world, name in zip(self._worlds, (None, "after"), strict=True)
        ]
        before, after = (
            {each.suite.axis: each for each in report.measured} for report in (self.first_report, reports[0])
        )
        return JudgedSwap(
            name=swap.name,
            before=before,
            after=after,
            structure=Changes(before[Axis.COMPOSITIONAL], after[Axis.COMPOSITIONAL]),
            silent=reports[0],
            declared=reports[1],
        )

    def _world(self, retriever: ServedSpace) -> World:
        on_call = OnCall(notifiers=("on-call",))
        return World(store=MemoryStore(), retriever=retriever, on_call=on_call, now=self._now, owner="study")

    async def _settle(self, world: World) -> Report:
        """First contact, the promotion of its runs, and one cycle without a change."""
        report = await run_cycle(self._plan, world)
        for measured in report.measured:
            baseline = Baseline(
                target=self._plan.target,
                suite_name=measured.suite.name,
                run_id=measured.run.run_id,
                promoted_by="study",
                reason="served before the swap",
                promoted_at=self._now(),
            )
            await world.store.promote(baseline)
        await run_cycle(self._plan, world)
        return report

    def _now(self) -> datetime:
        return _START + timedelta(hours=next(self._hours))


def judge_all(sets: Sequence[EvaluationSet], swaps: Iterable[Swap]) -> Iterator[JudgedSwap]:
    """The verdicts on all swaps; the cycles before the swap are run once for each target."""
    targets: dict[ServedSpace, Target] = {}
    for swap in swaps:
        if swap.before not in targets:
            targets[swap.before] = Target(sets, swap.before)
        yield targets[swap.before].judge(swap)


def _fork(world: World, after: ServedSpace) -> World:
    """The world with another retriever and a store of its own, which starts with the same content."""
    store = world.store
    assert isinstance(store, MemoryStore)
    parts = {each.name: copy(getattr(store, each.name)) for each in fields(store)}
    return replace(world, store=MemoryStore(**parts), retriever=after)

"""The scheduler: runs the cycles of each schedule when they are due."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from monitor.adapters.exporters.prometheus import CycleResult, Metrics
from monitor.adapters.stores.memory.slots import MemorySlots
from monitor.alerting.no_data import Watchdog
from monitor.config.config import Schedule
from monitor.cycle import Report, run_cycle
from monitor.errors import MonitorError, StoreError
from monitor.model.incidents import IncidentStatus
from monitor.model.runs import Run
from monitor.model.slots import Slot
from monitor.model.verdicts import VerdictName
from monitor.plan import Plan
from monitor.service import abandoned_runs, outgoing_heartbeat
from monitor.service.background import keep_running
from monitor.service.due_slots import DueSlots
from monitor.service.due_times import SteadyClock
from monitor.service.slots import Slots
from monitor.service.triggers import SPREAD_S, start_offset_s
from monitor.world import World

_LOG = structlog.get_logger(__name__)

Entry = tuple[Schedule, Plan, World]


@dataclass(slots=True)
class Scheduler:
    """Runs each schedule's plan when it is due, one cycle of a schedule at a time, in one process at a time."""

    metrics: Metrics
    plans: Mapping[str, Entry]
    watchdog: Watchdog | None = None
    """Notified of each cycle with data, and of each without."""
    slots: Slots = field(default_factory=lambda: Slots(MemorySlots()))
    clock: SteadyClock = field(default_factory=SteadyClock)
    reports: dict[str, Report] = field(default_factory=dict)
    """The latest report of each schedule."""
    _due: dict[str, DueSlots] = field(default_factory=dict)
    _loops: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _cycles: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _started: dict[str, datetime] = field(default_factory=dict)

    def start(self) -> None:
        """Start on the running loop. The first cycles run at once, unless a process ran their slots before."""
        self.slots.schedules = {name: plan.target for name, (_, plan, _) in self.plans.items()}
        for name in self.plans:
            if name not in self._loops:
                self._due[name] = self._due_slots(name)
                work = keep_running(
                    f"schedule {name}", partial(self._work, name), self.metrics.service.count_loop_failure
                )
                self._loops[name] = asyncio.create_task(work)

    def _due_slots(self, name: str) -> DueSlots:
        schedule, plan, _ = self.plans[name]
        return DueSlots(
            name=name,
            schedule=schedule,
            plan_digest=_digest(plan),
            slots=self.slots,
            delay=timedelta(seconds=start_offset_s(name, len(self.plans), schedule.every or SPREAD_S)),
            clock=self.clock,
            failed=partial(self._count_failure, name),
        )

    async def replace(self, plans: Mapping[str, Entry]) -> None:
        """Work by other plans from now on. Schedules whose plan is the same are not interrupted."""
        changed = [name for name, entry in self.plans.items() if _identity(plans.get(name)) != _identity(entry)]
        await self._end(changed, 0.0)
        self.plans = plans
        self.start()

    def trigger_now(self, target: str, at: datetime | None = None) -> None:
        """Run every schedule of a target now, because the target changed. ``at`` names the slots in every process."""
        for name, (_, plan, _) in self.plans.items():
            if plan.target == target and name in self._due:
                self._due[name].add(at or self.clock.now())

    def take_over(self, slot: Slot) -> None:
        """Run a slot whose owner is gone as soon as no cycle of its schedule is running here."""
        if slot.schedule in self._due and slot.schedule not in self._cycles:
            self._due[slot.schedule].add(slot)

    async def stop(self, drain_s: float = 0.0) -> None:
        """Start no cycle, let running ones finish within ``drain_s``, and hand back the slots of the others."""
        await self._end([*self._loops, *(self._cycles.keys() - self._loops.keys())], drain_s)

    @property
    def due_at(self) -> dict[str, datetime]:
        """Start time of the next cycle of each schedule."""
        return {name: self.plans[name][2].now() + due.due_in for name, due in self._due.items()}

    @property
    def active_since(self) -> dict[str, datetime]:
        """Targets with a running cycle of this process → when the oldest of them began."""
        started: dict[str, datetime] = {}
        for name in self._cycles:
            target, at = self.plans[name][1].target, self._started[name]
            started[target] = min(at, started.get(target, at))
        return started

    async def _end(self, names: list[str], drain_s: float) -> None:
        for name in names:
            if name in self._loops:  # not where a drain was broken off
                self._loops.pop(name).cancel()
                del self._due[name]
        cycles = [self._cycles[name] for name in names if name in self._cycles]
        if cycles and drain_s:
            _LOG.info("draining", cycles=len(cycles), timeout_s=drain_s)
            await asyncio.wait(cycles, timeout=drain_s)
        for cycle in cycles:
            cycle.cancel()
        await asyncio.gather(*cycles, return_exceptions=True)

    async def _work(self, name: str) -> None:
        """Run the slots of one schedule that this process takes, one after the other."""
        due = self._due[name]
        while True:
            slot = await due.take()
            self.metrics.service.slot_lag_s[name] = due.lag_s(slot)
            if slot.previous_owner:
                await self._close_earlier_runs(slot)
            await self.run_safely(name, slot)

    async def _close_earlier_runs(self, slot: Slot) -> None:
        """Mark the runs that the earlier owner of a slot left behind."""
        _, plan, world = self.plans[slot.schedule]

        def is_left(run: Run) -> bool:
            return run.target == plan.target and run.owner == slot.previous_owner

        with suppress(StoreError):  # they are marked at the next start
            await abandoned_runs.close_runs(world.store, is_left, now=world.now())

    async def run_safely(self, name: str, slot: Slot | None = None) -> None:
        """Run one cycle; an error is logged and ends this cycle, never the daemon."""
        self._started[name] = self.plans[name][2].now()
        task = self._cycles[name] = asyncio.create_task(self._run_and_log(name, slot))
        if slot is not None:
            self.slots.started(slot, task)
        task.add_done_callback(partial(self._forget_cycle, name))
        await asyncio.wait({task})  # unlike awaiting the task, this does not raise when it is cancelled

    def _forget_cycle(self, name: str, task: asyncio.Task[None]) -> None:
        if self._cycles.get(name) is task:
            del self._cycles[name], self._started[name]

    async def _run_and_log(self, name: str, slot: Slot | None) -> None:
        _, plan, world = self.plans[name]
        started_at = self._started[name]
        report, has_ended = None, False
        try:
            while _needs_confirmation(report := await self.run(name)):
                _LOG.info("probing_again", schedule=name, target=plan.target)
            has_ended = True
        except MonitorError as error:
            self._count_failure(name, str(error))
            _LOG.error("cycle_failed", schedule=name, target=plan.target, problem=str(error))
            has_ended = True
        except Exception as error:  # noqa: BLE001 - the other schedules must continue
            self._count_failure(name, type(error).__name__)
            _LOG.exception("cycle_failed", schedule=name, target=plan.target)
            has_ended = True
        finally:
            if slot is not None:
                await self._close(slot, has_ended=has_ended, has_data=report is not None and _has_data(report))
        self.metrics.cycle_seconds[name] = (world.now() - started_at).total_seconds()

    async def _close(self, slot: Slot, *, has_ended: bool, has_data: bool) -> None:
        """Finish the slot of a cycle; one that was broken off is handed back."""
        if not has_ended:
            with suppress(StoreError):
                await self.slots.hand_back(slot)
            return
        await self.slots.finish(slot, has_data=has_data)
        schedule = self.plans[slot.schedule][0]
        if schedule.heartbeat_url is not None:
            await outgoing_heartbeat.send(schedule.heartbeat_url, has_data=has_data)

    def _count_failure(self, name: str, problem: str) -> None:
        self.metrics.cycle_failures[self.plans[name][1].target] += 1
        if self.watchdog is not None:
            self.watchdog.record_failure(name, problem)

    async def run(self, name: str) -> Report:
        """Run one cycle and publish its result."""
        _, plan, world = self.plans[name]
        _LOG.info("cycle_started", schedule=name, target=plan.target)
        report = await run_cycle(plan, world, watch=lambda outcome: self.metrics.watch(plan.target, outcome))
        self.metrics.publish(
            CycleResult(
                verdict=report.verdict,
                measured=report.measured,
                incident_open=report.incident is not None and report.incident.is_open,
                finished_at=world.now(),
                swap=report.swaps[0] if report.swaps else None,
                schedule=name,
            )
        )
        self.reports[name] = report
        if self.watchdog is not None and _has_data(report):
            await self.watchdog.record_success(name)
        elif self.watchdog is not None:
            self.watchdog.record_failure(name, report.verdict.summary)
        _LOG.info(
            "cycle_finished",
            schedule=name,
            target=plan.target,
            verdict=report.verdict.name,
            summary=report.verdict.summary,
            swapped=bool(report.swaps),
        )
        return report


def _digest(plan: Plan) -> str:
    """Identity of what a plan probes and how it judges."""
    content = (plan.target, [suite.digest for suite in plan.suites], plan.policy, plan.max_k)
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _identity(entry: Entry | None) -> tuple[object, ...]:
    """What must be the same for a running cycle to go on after a reload: when, what, how, and over which adapters."""
    if entry is None:
        return ()
    schedule, plan, world = entry
    return schedule, _digest(plan), id(world.retriever), id(world.answerer), id(world.judge)


def _needs_confirmation(report: Report) -> bool:
    """Whether the verdict must be confirmed by another cycle before it pages."""
    incident = report.incident
    return report.verdict.name.pages and incident is not None and incident.status is IncidentStatus.SUSPECTED


def _has_data(report: Report) -> bool:
    """Whether the cycle judged the target: an invalid verdict is missing data, whatever the probes returned."""
    if report.verdict.name is VerdictName.INVALID:
        return False
    floor = report.verdict.policy.coverage_floor
    answered = all(each.replies is None or each.replies.coverage >= floor for each in report.measured)
    return answered and all(each.counts.coverage >= floor for each in report.measured)

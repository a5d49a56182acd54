"""The scheduler: runs the cycles of each schedule when they are due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.adapters.exporters.prometheus import CycleResult, Metrics
from monitor.alerting.no_data import Watchdog
from monitor.config.config import Schedule
from monitor.cycle import Report, run_cycle
from monitor.errors import MonitorError
from monitor.model.incidents import IncidentStatus
from monitor.model.verdicts import VerdictName
from monitor.plan import Plan
from monitor.service.triggers import SPREAD_S, Trigger, next_after, start_offset_s, trigger_of
from monitor.world import World

_LOG = structlog.get_logger(__name__)


@dataclass(slots=True)
class Scheduler:
    """Runs each schedule's plan when it is due, one cycle of a schedule at a time."""

    metrics: Metrics
    plans: Mapping[str, tuple[Schedule, Plan, World]]
    watchdog: Watchdog | None = None
    """Notified of each cycle with data, and of each without."""
    reports: dict[str, Report] = field(default_factory=dict)
    """The latest report of each schedule."""
    _triggers: dict[str, Trigger] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _running: set[str] = field(default_factory=set)
    _triggered: set[str] = field(default_factory=set)
    _scheduler: AsyncIOScheduler | None = None

    def start(self) -> AsyncIOScheduler:
        """Start on the running loop. The first cycles run at once."""
        # The library warns whenever a cycle is still running when the next is due; the cycle's own log is enough.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        scheduler = AsyncIOScheduler(timezone="UTC")
        for name, (schedule, _, world) in self.plans.items():
            trigger = self._triggers[name] = trigger_of(schedule, where=f"schedules.{name}")
            offset = start_offset_s(name, len(self.plans), schedule.every or SPREAD_S)
            first = self.metrics.due[name] = world.now() + timedelta(seconds=offset)
            scheduler.add_job(
                self.run_safely,
                trigger,
                args=(name,),
                id=name,
                coalesce=True,
                max_instances=1,
                # A late cycle is better than none; by default the library drops it after one second.
                misfire_grace_time=None,
                next_run_time=first,
            )
        scheduler.start()
        self._scheduler = scheduler
        return scheduler

    def trigger_now(self, target: str) -> None:
        """Run every schedule of a target now, because the target changed."""
        for name, (_, plan, world) in self.plans.items():
            if plan.target != target:
                continue
            if name in self._running:  # the running cycle began before the change
                self._triggered.add(name)
            elif self._scheduler is not None:
                self._scheduler.modify_job(name, next_run_time=world.now())

    async def run_safely(self, name: str) -> None:
        """Run one cycle; an error is logged and ends this cycle, never the daemon."""
        task = asyncio.create_task(self._run_and_log(name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task})  # unlike awaiting the task, this does not raise when it is cancelled

    async def stop(self) -> None:
        """Cancel running cycles; their runs are marked as interrupted."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run_and_log(self, name: str) -> None:
        _, plan, world = self.plans[name]
        started_at = world.now()
        # The next due time counts from the start, so that a cycle that never ends counts as late too.
        self.metrics.due[name] = next_after(self._triggers[name], started_at) or started_at
        self._running.add(name)
        try:
            while self._should_rerun(name, await self.run(name)):
                _LOG.info("probing_again", schedule=name, target=plan.target)
        except MonitorError as error:
            self._count_failure(name, str(error))
            _LOG.error("cycle_failed", schedule=name, target=plan.target, problem=str(error))
        except Exception as error:  # noqa: BLE001 - the other schedules must continue
            self._count_failure(name, type(error).__name__)
            _LOG.exception("cycle_failed", schedule=name, target=plan.target)
        finally:
            self._running.discard(name)
        self.metrics.cycle_seconds[name] = (world.now() - started_at).total_seconds()

    def _should_rerun(self, name: str, report: Report) -> bool:
        """Whether another cycle must follow at once: to confirm this one, or because the target changed meanwhile."""
        is_triggered = name in self._triggered
        self._triggered.discard(name)
        return is_triggered or _needs_confirmation(report)

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

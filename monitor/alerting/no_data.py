"""Missing data: a schedule without a successful run opens an operational incident, never a verdict on quality."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from monitor.alerting import paging
from monitor.errors import StoreError
from monitor.incidents import operational
from monitor.incidents.lifecycle import Step
from monitor.incidents.routing import OnCall
from monitor.model.incidents import Incident, IncidentKind
from monitor.plan import Plan
from monitor.ports.store import Store

_LOG = structlog.get_logger(__name__)

GRACE_S = 600.0
"""Default time, beyond two intervals, after which a schedule without data is overdue."""
CHECK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class WatchedSchedule:
    """A schedule, and the longest time it may run without data."""

    plan: Plan
    limit_s: float


@dataclass(slots=True)
class Watchdog:
    """Opens an incident for each overdue schedule. Durations come from a monotonic clock."""

    schedules: Mapping[str, WatchedSchedule]
    store: Store
    on_call: OnCall
    now: Callable[[], datetime]
    wake: Callable[[], None] = lambda: None
    elapsed_s: Callable[[], float] = time.monotonic
    overdue: set[str] = field(default_factory=set)
    """Schedules with an open no-data incident."""
    _last_data_s: dict[str, float] = field(default_factory=dict)
    _last_at: dict[str, datetime] = field(default_factory=dict)
    _problems: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._last_data_s = dict.fromkeys(self.schedules, self.elapsed_s())

    async def watch_forever(self) -> None:
        """Check the schedules as long as the daemon runs.

        Only its own schedules: those of other processes on the same database have their own watchdog.
        """
        while True:
            await self.check_schedules()
            await asyncio.sleep(CHECK_EVERY_S)

    def record_failure(self, name: str, problem: str) -> None:
        """Remember why the latest cycle of a schedule produced no data."""
        self._problems[name] = problem.rstrip(".")

    async def record_success(self, name: str) -> None:
        """Note that a cycle of the schedule produced data, and resolve its incident."""
        self._last_data_s[name] = self.elapsed_s()
        self._last_at[name] = self.now()
        self._problems.pop(name, None)
        await self._resolve_incident(name, f"Schedule {name} produces data again.")
        self.overdue.discard(name)

    async def check_schedules(self) -> None:
        """Open an incident for every schedule that has become overdue."""
        for name, schedule in self.schedules.items():
            silent_s = self.elapsed_s() - self._last_data_s[name]
            if silent_s > schedule.limit_s and name not in self.overdue:
                try:
                    await self._open_incident(name, schedule.plan, silent_s)
                except StoreError as error:  # the next check retries, and a Prometheus rule covers this case
                    _LOG.error("no_data_alert_failed", schedule=name, problem=str(error))

    async def record_data_elsewhere(self, name: str, age_s: float) -> None:
        """Note that a cycle of another process produced data so long ago, and forget an incident that it resolved."""
        at_s = self.elapsed_s() - age_s
        if at_s <= self._last_data_s[name]:
            return
        self._last_data_s[name] = at_s
        if name in self.overdue:
            await self.record_success(name)

    async def close_removed_schedules(self, names: Iterable[str]) -> None:
        """Resolve the incidents of schedules that were removed from the configuration, and that no process has now."""
        for name in names:
            await self._resolve_incident(name, f"Schedule {name} was removed from the configuration.")

    async def _open_incident(self, name: str, plan: Plan, silent_s: float) -> None:
        fault = operational.no_data(
            name,
            plan.target,
            suites=[suite.name for suite in plan.suites],
            axes=list(dict.fromkeys(str(suite.axis) for suite in plan.suites)),
            silent_s=silent_s,
            last_at=self._last_at.get(name),
            problem=self._problems.get(name, ""),
        )
        await self._advance(
            name, lambda current: operational.open_incident(current, fault, self.on_call, at=self.now())
        )
        self.overdue.add(name)
        _LOG.error("no_data", schedule=name, target=plan.target, silent_s=round(silent_s))

    async def _resolve_incident(self, name: str, summary: str) -> None:
        facts = {"summary": summary}
        await self._advance(
            name, lambda current: operational.resolve_incident(current, self.on_call, at=self.now(), facts=facts)
        )

    async def _advance(self, name: str, step: Callable[[Incident | None], Step]) -> None:
        await paging.update_incident(IncidentKind.NO_DATA, name, step, self.store)
        self.wake()

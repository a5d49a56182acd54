"""The dead man's switch: a schedule that brings no data is an incident of its own, and never a verdict on quality."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
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
"""How much longer than two intervals a schedule may be silent, unless the configuration says otherwise."""
LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A schedule, and for how long it may be silent."""

    plan: Plan
    limit_s: float


@dataclass(slots=True)
class Watchdog:
    """Knows when each schedule last brought data. Durations are of a clock that nobody can set."""

    schedules: Mapping[str, Watched]
    store: Store
    on_call: OnCall
    now: Callable[[], datetime]
    wake: Callable[[], None] = lambda: None
    elapsed_s: Callable[[], float] = time.monotonic
    silent: set[str] = field(default_factory=set)
    """Schedules of which on-call was told."""
    _heard_s: dict[str, float] = field(default_factory=dict)
    _last_at: dict[str, datetime] = field(default_factory=dict)
    _problems: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._heard_s = dict.fromkeys(self.schedules, self.elapsed_s())

    async def watch_forever(self) -> None:
        """Look around for as long as the daemon lives."""
        while True:
            try:
                await self.close_removed_schedules()
                break
            except StoreError:
                await asyncio.sleep(LOOK_S)
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    def failed(self, name: str, problem: str) -> None:
        """A cycle ended without data."""
        self._problems[name] = problem.rstrip(".")

    async def record_success(self, name: str) -> None:
        """A cycle brought data: what was told of the schedule is over."""
        self._heard_s[name] = self.elapsed_s()
        self._last_at[name] = self.now()
        self._problems.pop(name, None)
        await self._end(name, f"Schedule {name} brings data again.")
        self.silent.discard(name)

    async def look(self) -> None:
        """Tell on-call of every schedule that has been silent for too long, once."""
        for name, watched in self.schedules.items():
            silent_s = self.elapsed_s() - self._heard_s[name]
            if silent_s > watched.limit_s and name not in self.silent:
                try:
                    await self._tell(name, watched.plan, silent_s)
                except StoreError as error:  # the next look tries again, and Prometheus has a rule of its own
                    _LOG.error("no_data_untold", schedule=name, problem=str(error))

    async def close_removed_schedules(self) -> None:
        """End what was told of schedules that are configured no more."""
        told = [each for each in await self.store.list_incidents(limit=1_000) if each.kind is IncidentKind.NO_DATA]
        for name in {each.subject for each in told if each.is_active} - self.schedules.keys():
            await self._end(name, f"Schedule {name} is configured no more.")

    async def _tell(self, name: str, plan: Plan, silent_s: float) -> None:
        trouble = operational.no_data(
            name,
            plan.target,
            suites=[suite.name for suite in plan.suites],
            axes=list(dict.fromkeys(str(suite.axis) for suite in plan.suites)),
            silent_s=silent_s,
            last_at=self._last_at.get(name),
            problem=self._problems.get(name, ""),
        )
        await self._move(name, lambda found: operational.begin(found, trouble, self.on_call, at=self.now()))
        self.silent.add(name)
        _LOG.error("no_data", schedule=name, target=plan.target, silent_s=round(silent_s))

    async def _end(self, name: str, summary: str) -> None:
        facts = {"summary": summary}
        await self._move(name, lambda found: operational.end(found, self.on_call, at=self.now(), facts=facts))

    async def _move(self, name: str, step: Callable[[Incident | None], Step]) -> None:
        await paging.move(IncidentKind.NO_DATA, name, step, self.store)
        self.wake()

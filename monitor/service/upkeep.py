"""The loops of a daemon beside its cycles and alerts: reading its database, and watching itself."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from monitor.adapters.exporters.prometheus import Metrics
from monitor.adapters.exporters.service import Outbox
from monitor.alerting.no_data import Watchdog
from monitor.errors import StoreError
from monitor.ports.service import ServiceStore
from monitor.service import abandoned_runs, wiring
from monitor.service.readiness import Readiness
from monitor.service.schedule import Scheduler

_LOG = structlog.get_logger(__name__)

MOST_ACTIVE = 1_000
"""Active incidents that are exported at most."""
PULSE_S = 5.0
"""The daemon queries its own outbox and incidents this often."""
DATABASE_TIMEOUT_S = 5.0
"""Without an answer for this long the database counts as unreachable."""
POLL_S = 1.0
"""The daemon polls this often for new deployments, and for a database that is away."""
WATCH_S = 2.0
"""A file that is watched is read this often."""


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """The loops over the parts of a daemon."""

    store: ServiceStore
    scheduler: Scheduler
    watchdog: Watchdog
    metrics: Metrics
    readiness: Readiness

    async def watch_database(self) -> None:
        """Refresh the snapshot of outbox and incidents, so that a scrape needs no query.

        While the database is away, the metrics keep their values and the daemon is not ready.
        """
        while True:
            try:
                async with asyncio.timeout(DATABASE_TIMEOUT_S):
                    await self._read_database()
                self._note_database(answers=True)
            except (StoreError, TimeoutError) as error:  # the store counts its errors
                self._note_database(answers=False, problem=str(error) or f"no answer within {DATABASE_TIMEOUT_S:.0f} s")
            self.refresh()
            await asyncio.sleep(PULSE_S if self.readiness.database_answers else POLL_S)

    async def _read_database(self) -> None:
        pending, dead, oldest_at = await self.store.outbox_backlog()
        self.metrics.outbox = Outbox({"pending": pending, "dead": dead}, oldest_at)
        self.metrics.tallies = await self.store.tally_incidents()
        self.metrics.incidents = await self.store.active_incidents(MOST_ACTIVE)
        for name, age_s in (await self.store.seconds_since_data(self.scheduler.plans)).items():
            await self.watchdog.record_data_elsewhere(name, age_s)
        slots = self.scheduler.slots
        active_since = self.scheduler.active_since
        await abandoned_runs.close_own_runs(self.store, slots.owner, active_since, now=wiring.utc_now())

    def _note_database(self, *, answers: bool, problem: str = "") -> None:
        if answers != self.readiness.database_answers:
            if answers:
                _LOG.info("database_answers")
            else:
                _LOG.error("database_unreachable", problem=problem)
        self.readiness.database_answers = self.metrics.service.database_answers = answers

    def refresh(self) -> None:
        """Copy the state of the daemon's parts into the metrics."""
        metrics, slots = self.metrics, self.scheduler.slots
        metrics.no_data = {
            (watched.plan.target, name): name in self.watchdog.overdue
            for name, watched in self.watchdog.schedules.items()
        }
        metrics.database_errors = self.store.errors
        metrics.due.update(self.scheduler.due_at)
        metrics.service.connections = self.store.connections
        metrics.service.takeovers, metrics.service.n_peers = slots.takeovers, len(slots.peers)
        metrics.service.clock_behind_s = self.scheduler.clock.behind_s

    async def watch_deployments(self) -> None:
        """Probe a target at once after a declared deployment, from this process or through the database."""
        latest: int | None = None
        while True:
            with suppress(StoreError):
                if latest is None:
                    latest = await self.store.latest_deployment_id()
                for deployment_id, declared in await self.store.deployments_after(latest):
                    latest = deployment_id
                    _LOG.info(
                        "deployment_declared",
                        target=declared.target,
                        deployment=declared.name,
                        by=declared.declared_by,
                    )
                    self.scheduler.trigger_now(declared.target, declared.declared_at)
            await asyncio.sleep(POLL_S)

    async def watch_loop(self) -> None:
        """Measure how late the event loop is."""
        while True:
            started_s = time.monotonic()
            await asyncio.sleep(POLL_S)
            self.metrics.service.loop_lag_s = max(0.0, time.monotonic() - started_s - POLL_S)


async def watch_file(path: Path, changed: Callable[[], None]) -> None:
    """Call ``changed`` whenever the content of a file is another one, also where a link to it moves."""
    before = _content(path)
    while True:
        await asyncio.sleep(WATCH_S)
        after = _content(path)
        if after is not None and after != before:
            before = after
            changed()


def _content(path: Path) -> str | None:
    """Digest of the content; None while the file is being replaced."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None

"""The long-running service: schedules, outbox and HTTP server around one store."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import structlog

from monitor.adapters.exporters.prometheus import Metrics, Outbox
from monitor.alerting.no_data import Watchdog
from monitor.alerting.outbox import OutboxWorker
from monitor.errors import ConfigError, MonitorError, StoreError
from monitor.plan import Plan
from monitor.ports.ledger import LedgerStore
from monitor.ports.store import Store
from monitor.service import abandoned_runs, wiring, workers
from monitor.service.api.access import Guard
from monitor.service.api.app import create_app
from monitor.service.api.backend import Backend
from monitor.service.api.gate_runner import GateRunner
from monitor.service.api.server import listen, running
from monitor.service.ledger import record_configuration
from monitor.service.readiness import Readiness
from monitor.service.schedule import Scheduler

_LOG = structlog.get_logger(__name__)

PULSE_S = 5.0
"""The daemon queries its own outbox and incidents this often."""
DATABASE_TIMEOUT_S = 5.0
"""Without an answer for this long the database counts as unreachable."""
POLL_S = 1.0
"""The daemon polls this often for new deployments, and for a database that is away."""


@dataclass(slots=True)
class Daemon:
    """A running service."""

    metrics: Metrics
    checked: wiring.CheckedConfig
    """The configuration in force."""
    url: str = ""
    readiness: Readiness = field(default_factory=Readiness)
    store: Store = field(init=False)
    scheduler: Scheduler = field(init=False)
    gates: GateRunner = field(init=False)
    _background: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        self.gates = GateRunner(self._ledger, lambda: self.checked, wiring.utc_now)

    async def apply(self, checked: wiring.CheckedConfig, plans: Mapping[str, Plan]) -> None:
        """Work by a checked configuration from now on. Running cycles are cancelled and their runs are marked."""
        async with AsyncExitStack() as background:
            # The new adapters first: if one cannot be built, nothing has changed yet.
            clients, notifiers = await background.enter_async_context(_adapters(checked))
            await self.stop()
            self.checked = checked
            self.metrics.plan(workers.planned_intervals(checked, plans), notifiers)
            outbox = workers.build_outbox_worker(checked, self.store, notifiers, self.metrics)
            watchdog = workers.build_watchdog(checked, plans, outbox)
            self.scheduler = workers.build_scheduler(checked, plans, clients, self.metrics, outbox, watchdog)
            await background.enter_async_context(self._working(outbox, watchdog))
            self._background = background.pop_all()
        self.readiness.schedules_are_planned = True
        self.metrics.reload_succeeded = True

    @property
    def backend(self) -> Backend:
        """The store, the configuration in force and the gates, as the HTTP API uses them."""
        return Backend(
            store=self._ledger,
            checked=lambda: self.checked,
            now=wiring.utc_now,
            guard=Guard(self._ledger, lambda: self.checked.config.server, wiring.utc_now),
            gates=self.gates,
        )

    def _ledger(self) -> LedgerStore:
        return cast("LedgerStore", self._open_store())

    async def stop(self) -> None:
        """Stop probing and delivering."""
        await self.gates.stop()
        await self._background.aclose()

    async def reload(self, load: Callable[[], wiring.CheckedConfig]) -> bool:
        """Apply the configuration as it is now. A wrong one changes nothing and clears the reload gauge."""
        try:
            checked = load()
            _refuse_changed_server(self.checked, checked)
            await self.apply(checked, workers.plans_of(checked))
        except MonitorError as error:
            self.metrics.reload_succeeded = False
            _LOG.error("reload_refused", problem=str(error))
            return False
        with suppress(StoreError):  # work goes on by it, recorded or not
            await record_configuration(self._ledger(), checked.config)
        _LOG.info("reloaded", schedules=list(self.scheduler.plans))
        return True

    def _open_store(self) -> Store:
        if not self.readiness.store_is_open:
            raise StoreError("the store is not open; try again when /readyz answers 200")
        return self.store

    @asynccontextmanager
    async def _working(self, outbox: OutboxWorker, watchdog: Watchdog) -> AsyncIterator[None]:
        loops = (
            outbox.deliver_forever(),
            watchdog.watch_forever(),
            _watch_database(self.store, watchdog, self.metrics, self.readiness),
            _watch_deployments(self.store, self.scheduler),
        )
        tasks = [asyncio.create_task(loop) for loop in loops]
        triggers = self.scheduler.start()
        try:
            yield
        finally:
            triggers.shutdown(wait=False)
            await self.scheduler.stop()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def serve_forever(load: Callable[[], wiring.CheckedConfig]) -> None:
    """Run until SIGTERM or SIGINT, then stop in order: no new probe, runs marked, alerts kept, store closed.

    SIGHUP reads the configuration again.
    """
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
    async with serving(load()) as daemon:
        _LOG.info("serving", url=daemon.url, schedules=list(daemon.scheduler.plans))
        while await signals.get() == signal.SIGHUP:
            await daemon.reload(load)
        _LOG.info("stopping")


@asynccontextmanager
async def serving(checked: wiring.CheckedConfig) -> AsyncIterator[Daemon]:
    """The whole service, started on entry and stopped on exit.

    1. Check every plan before anything starts.
    2. Listen, and answer `/healthz`; `/readyz` answers 503.
    3. Open the store, and mark runs that a crash left running.
    4. Plan the schedules; `/readyz` answers 200.
    """
    plans = workers.plans_of(checked)
    daemon = Daemon(Metrics(started_at=wiring.utc_now()), checked)
    app = create_app(daemon.metrics, daemon.readiness, daemon.backend)
    server = checked.config.server
    with listen(server.host, server.port) as listener:
        async with running(app, listener, server.tls) as daemon.url, wiring.open_store(checked.config) as daemon.store:
            daemon.readiness.store_is_open = True
            try:
                for run in await abandoned_runs.close_abandoned_runs(daemon.store, now=wiring.utc_now()):
                    _LOG.warning("run_interrupted", run=run.run_id, target=run.target, suite=run.suite_name)
                await record_configuration(daemon.backend.store(), checked.config)
                await daemon.apply(checked, plans)
                yield daemon
            finally:
                await daemon.stop()
                daemon.readiness.store_is_open = False


@asynccontextmanager
async def _adapters(
    checked: wiring.CheckedConfig,
) -> AsyncIterator[tuple[dict[str, wiring.TargetClients], dict[str, Any]]]:
    clients = {name: wiring.connect(checked, name) for name in checked.retrievers}
    notifiers = {name: adapter.build() for name, adapter in checked.notifiers.items()}
    try:
        yield clients, notifiers
    finally:
        for adapter in (*clients.values(), *notifiers.values()):
            await adapter.close()


async def _watch_database(store: Store, watchdog: Watchdog, metrics: Metrics, readiness: Readiness) -> None:
    """Refresh the snapshot of outbox and incidents, so that a scrape needs no query.

    While the database is away, the metrics keep their values and the daemon is not ready.
    """
    while True:
        try:
            async with asyncio.timeout(DATABASE_TIMEOUT_S):
                metrics.outbox = Outbox(await store.count_deliveries(), await store.oldest_pending())
                metrics.tallies = await store.tally_incidents()
            readiness.database_answers = True
        except (StoreError, TimeoutError):  # the store counts its errors
            readiness.database_answers = False
        metrics.no_data = {
            (watched.plan.target, name): name in watchdog.overdue for name, watched in watchdog.schedules.items()
        }
        metrics.database_errors = store.errors
        await asyncio.sleep(PULSE_S if readiness.database_answers else POLL_S)


async def _watch_deployments(store: Store, scheduler: Scheduler) -> None:
    """Probe a target at once after a declared deployment, from this process or through the database."""
    latest_at = wiring.utc_now()
    while True:
        await asyncio.sleep(POLL_S)
        with suppress(StoreError):
            new = [deployment for deployment in await store.deployments() if deployment.declared_at > latest_at]
            for deployment in new:
                _LOG.info(
                    "deployment_declared",
                    target=deployment.target,
                    deployment=deployment.name,
                    by=deployment.declared_by,
                )
            for target in {deployment.target for deployment in new}:
                scheduler.trigger_now(target)
            latest_at = max((deployment.declared_at for deployment in new), default=latest_at)


def _refuse_changed_server(old: wiring.CheckedConfig, new: wiring.CheckedConfig) -> None:
    for key in ("storage", "server"):
        if getattr(old.config, key) != getattr(new.config, key):
            raise ConfigError(key, "cannot be changed while the daemon runs; restart it")

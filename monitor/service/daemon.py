"""The long-running service: schedules, outbox and HTTP server around one store."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog

from monitor.adapters.exporters.prometheus import Metrics
from monitor.alerting.no_data import Watchdog
from monitor.alerting.outbox import OutboxWorker
from monitor.errors import ConfigError, MonitorError, StoreError
from monitor.plan import Plan
from monitor.ports.ledger import LedgerStore
from monitor.ports.retention import RetentionStore
from monitor.ports.service import ServiceStore
from monitor.service import abandoned_runs, retention, systemd, upkeep, wiring, workers
from monitor.service.adapters_in_use import AdaptersInUse
from monitor.service.api.access import Guard
from monitor.service.api.app import create_app
from monitor.service.api.backend import Backend
from monitor.service.api.gate_runner import GateRunner
from monitor.service.api.server import listen, running
from monitor.service.background import Loop, in_background
from monitor.service.ledger import record_configuration, watch_audit_head
from monitor.service.readiness import Readiness
from monitor.service.schedule import Scheduler
from monitor.service.slots import Slots

_LOG = structlog.get_logger(__name__)


@dataclass(slots=True)
class Daemon:
    """A running service."""

    metrics: Metrics
    checked: wiring.CheckedConfig
    """The configuration in force."""
    url: str = ""
    readiness: Readiness = field(default_factory=Readiness)
    store: ServiceStore = field(init=False)
    scheduler: Scheduler = field(init=False)
    _adapters: AdaptersInUse = field(default_factory=AdaptersInUse)
    gates: GateRunner = field(init=False)
    _background: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        self.gates = GateRunner(self._ledger, lambda: self.checked, wiring.utc_now)

    async def apply(self, checked: wiring.CheckedConfig, plans: Mapping[str, Plan]) -> None:
        """Work by a checked configuration from now on. Cycles of schedules that did not change go on."""
        async with AsyncExitStack() as background:
            # The new adapters first: if one cannot be built, nothing has changed yet.
            clients = self._adapters.connect(checked)
            notifiers = await background.enter_async_context(_notifiers(checked))
            await self._background.aclose()
            self.checked = checked
            self.metrics.plan(workers.planned_intervals(checked, plans), notifiers)
            outbox = workers.build_outbox_worker(checked, self.store, notifiers, self.metrics)
            watchdog = workers.build_watchdog(checked, plans, outbox)
            entries = workers.entries_of(checked, plans, clients, outbox)
            await self._schedule(entries, watchdog)
            await self._adapters.switch(checked, clients)
            with suppress(StoreError):  # the next start or reload does it
                removed = await self.store.serve_schedules(checked.installation, plans.keys())
                await watchdog.close_removed_schedules(removed)
            loops = self._loops(outbox, watchdog)
            self.metrics.service.expect_loops(loops)
            await background.enter_async_context(in_background(loops, self.metrics.service.count_loop_failure))
            self._background = background.pop_all()
        self.readiness.schedules_are_planned = True
        self.metrics.reload_succeeded = True

    async def _schedule(self, entries: Mapping[str, Any], watchdog: Watchdog) -> None:
        if not hasattr(self, "scheduler"):
            self.scheduler = Scheduler(self.metrics, entries, watchdog, Slots(self.store))
            self.scheduler.start()
            return
        self.scheduler.watchdog = watchdog
        await self.scheduler.replace(entries)

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

    async def drain(self) -> None:
        """Start no cycle, and let those under way end within ``server.drain_timeout``."""
        self.readiness.is_draining = True
        await self.scheduler.stop(self.checked.config.server.drain_timeout)

    async def stop(self) -> None:
        """Stop probing and delivering. Runs under way are marked, and their slots handed back."""
        if hasattr(self, "scheduler"):
            await self.scheduler.stop()
            with suppress(StoreError):
                await self.scheduler.slots.leave()
        await self.gates.stop()
        await self._background.aclose()
        await self._adapters.close()

    async def reload(self, load: Callable[[], wiring.CheckedConfig]) -> bool:
        """Apply the configuration as it is now. A wrong one changes nothing and clears the reload gauge."""
        systemd.notify_reloading()
        try:
            checked = load()
            _refuse_changed_server(self.checked, checked)
            await self.apply(checked, workers.plans_of(checked))
        except MonitorError as error:
            self.metrics.reload_succeeded = False
            _LOG.error("reload_refused", problem=str(error))
            return False
        finally:
            systemd.notify("READY=1")
        with suppress(StoreError):  # work goes on by it, recorded or not
            await record_configuration(self._ledger(), checked.config)
        _LOG.info("reloaded", schedules=list(self.scheduler.plans))
        return True

    def _open_store(self) -> ServiceStore:
        if not self.readiness.store_is_open:
            raise StoreError("the store is not open; try again when /readyz answers 200")
        return self.store

    def _loops(self, outbox: OutboxWorker, watchdog: Watchdog) -> dict[str, Loop]:
        care = upkeep.Upkeep(
            store=self.store,
            scheduler=self.scheduler,
            watchdog=watchdog,
            metrics=self.metrics,
            readiness=self.readiness,
        )
        care.refresh()
        retain = partial(
            retention.run_daily,
            cast("RetentionStore", self.store),
            self.checked.config.retention.results,
            wiring.utc_now,
            self.metrics.storage,
        )
        return {
            **outbox.loops(),
            "watch for missing data": watchdog.watch_forever,
            "keep slots": partial(self.scheduler.slots.keep_forever, self.scheduler.take_over),
            "watch the database": care.watch_database,
            "watch for deployments": care.watch_deployments,
            "retain": retain,
            "watch the event loop": care.watch_loop,
            "watch the audit log": partial(watch_audit_head, self._ledger, self.metrics.audit),
        }


async def serve_forever(load: Callable[[], wiring.CheckedConfig], watched: Path | None = None) -> None:
    """Run until SIGTERM or SIGINT, then stop in order: no new probe, cycles end or are handed back, store closed.

    A second signal stops at once. SIGHUP, or a change of the ``watched`` file, reads the configuration again.
    """
    signals: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, signals.put_nowait, signal.SIGHUP)
    async with serving(load()) as daemon:
        # Until here SIGTERM and SIGINT cancel the start.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, signals.put_nowait, number)
        _LOG.info("serving", url=daemon.url, schedules=list(daemon.scheduler.plans))
        systemd.notify("READY=1")
        watchers: dict[str, Loop] = {"answer systemd": systemd.keep_watchdog_forever}
        if watched is not None:
            watchers["watch the configuration"] = partial(
                upkeep.watch_file, watched, lambda: signals.put_nowait(signal.SIGHUP)
            )
        async with in_background(watchers, daemon.metrics.service.count_loop_failure):
            while await signals.get() == signal.SIGHUP:
                await daemon.reload(load)
            _LOG.info("stopping")
            systemd.notify("STOPPING=1")
            await _first_of(daemon.drain(), _next_stop(signals))


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
        async with running(app, listener, server.tls) as daemon.url, wiring.open_store(checked.config) as store:
            daemon.store = cast("ServiceStore", store)
            daemon.readiness.store_is_open = True
            try:
                await abandoned_runs.close_abandoned_runs(daemon.store, now=wiring.utc_now())
                await record_configuration(daemon.backend.store(), checked.config)
                await daemon.apply(checked, plans)
                yield daemon
            finally:
                await daemon.stop()
                daemon.readiness.store_is_open = False


@asynccontextmanager
async def _notifiers(checked: wiring.CheckedConfig) -> AsyncIterator[dict[str, Any]]:
    notifiers = {name: adapter.build() for name, adapter in checked.notifiers.items()}
    try:
        yield notifiers
    finally:
        for notifier in notifiers.values():
            await notifier.close()


async def _first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Wait until one of them has ended, and cancel the others."""
    tasks = [asyncio.create_task(each) for each in work]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _next_stop(signals: asyncio.Queue[int]) -> None:
    while await signals.get() == signal.SIGHUP:
        pass


def _refuse_changed_server(old: wiring.CheckedConfig, new: wiring.CheckedConfig) -> None:
    for key in ("storage", "server"):
        if getattr(old.config, key) != getattr(new.config, key):
            raise ConfigError(key, "cannot be changed while the daemon runs; restart it")

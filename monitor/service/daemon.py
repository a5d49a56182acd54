"""The long-running service: schedules, outbox and HTTP server around one store."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from monitor.adapters.exporters.prometheus import Metrics, Outbox, Planned
from monitor.alerting.no_data import Watchdog, WatchedSchedule
from monitor.alerting.outbox import OutboxWorker
from monitor.errors import ConfigError, MonitorError, StoreError
from monitor.model.deployments import Deployment
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.service import abandoned_runs, wiring
from monitor.service.api.app import create_app
from monitor.service.api.deployments import Declared
from monitor.service.api.server import listen, running
from monitor.service.schedule import Scheduler
from monitor.service.triggers import longest_interval_s, no_data_after_s, trigger_of
from monitor.world import World

_LOG = structlog.get_logger(__name__)

PULSE_S = 5.0
"""How often the daemon looks at its own outbox."""
HEED_S = 1.0
"""How often it looks for what was declared."""


@dataclass(slots=True)
class Daemon:
    """A running service."""

    url: str
    store: Store
    metrics: Metrics
    parts: wiring.CheckedConfig
    scheduler: Scheduler = field(init=False)
    _work: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def begin(self, parts: wiring.CheckedConfig, plans: Mapping[str, Plan]) -> None:
        """Work by a checked configuration from now on. What was under way is broken off and its runs are marked."""
        async with AsyncExitStack() as work:
            # The new adapters first: if one cannot be built, nothing has changed yet.
            targets, notifiers = await work.enter_async_context(_adapters(parts))
            await self.end()
            self.parts = parts
            self.metrics.plan(_planned(parts, plans), notifiers)
            courier = _courier(parts, self.store, notifiers, self.metrics)
            watchdog = _watchdog(parts, plans, courier)
            self.scheduler = _timetable(parts, plans, targets, self.metrics, courier, watchdog)
            await work.enter_async_context(_working(self.scheduler, courier, watchdog, self.metrics))
            self._work = work.pop_all()
        self.metrics.reload_succeeded = True

    @property
    def declared(self) -> Declared:
        """Where deployments are declared, by the configuration in force."""
        return Declared(
            lambda: tuple(self.parts.config.targets),
            lambda: self.parts.config.server.secret,
            self.declare,
            lambda target: self.store.deployments(target),
            wiring.utc_now,
        )

    async def declare(self, deployment: Deployment) -> None:
        """Keep what a target serves from now on; like what anybody else declared, it is heeded within a second."""
        await self.store.save_deployment(deployment)

    async def end(self) -> None:
        """Stop probing and delivering."""
        await self._work.aclose()

    async def reload(self, load: Callable[[], wiring.CheckedConfig]) -> bool:
        """Change to the configuration as it is now; a wrong one leaves the old in force and says so in a gauge."""
        try:
            parts = load()
            _refuse_to_move(self.parts, parts)
            await self.begin(parts, _plans(parts))
        except MonitorError as error:
            self.metrics.reload_succeeded = False
            _LOG.error("reload_refused", problem=str(error))
            return False
        _LOG.info("reloaded", schedules=list(self.scheduler.plans))
        return True


async def serve_forever(load: Callable[[], wiring.CheckedConfig]) -> None:
    """Run until SIGTERM or SIGINT, then stop in order: no new probe, runs marked, alerts kept, store closed.

    SIGHUP reads the configuration anew.
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
async def serving(parts: wiring.CheckedConfig) -> AsyncIterator[Daemon]:
    """The whole service, started on entry and stopped on exit. Everything is checked before anything starts."""
    plans = _plans(parts)
    with listen(parts.config.server.host, parts.config.server.port) as listener:
        async with wiring.open_store(parts.config) as store:
            for run in await abandoned_runs.close_abandoned_runs(store, now=wiring.utc_now()):
                _LOG.warning("run_interrupted", run=run.run_id, target=run.target, suite=run.suite_name)
            metrics = Metrics(started_at=wiring.utc_now())
            daemon = Daemon("", store, metrics, parts)
            app = create_app(metrics, is_ready=lambda: True, declared=daemon.declared)
            async with running(app, listener) as url:
                daemon.url = url
                try:
                    await daemon.begin(parts, plans)
                    yield daemon
                finally:
                    await daemon.end()


@asynccontextmanager
async def _adapters(
    parts: wiring.CheckedConfig,
) -> AsyncIterator[tuple[dict[str, wiring.TargetClients], dict[str, Any]]]:
    targets = {name: wiring.connect(parts, name) for name in parts.retrievers}
    notifiers = {name: part.build() for name, part in parts.notifiers.items()}
    try:
        yield targets, notifiers
    finally:
        for adapter in (*targets.values(), *notifiers.values()):
            await adapter.close()


@asynccontextmanager
async def _working(
    scheduler: Scheduler, courier: OutboxWorker, watchdog: Watchdog, metrics: Metrics
) -> AsyncIterator[None]:
    loops = (
        courier.deliver_forever(),
        watchdog.watch_forever(),
        _watch(courier.store, watchdog, metrics),
        _watch_deployments(courier.store, scheduler),
    )
    tasks = [asyncio.create_task(loop) for loop in loops]
    triggers = scheduler.start()
    try:
        yield
    finally:
        triggers.shutdown(wait=False)
        await scheduler.stop()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _watch(store: Store, watchdog: Watchdog, metrics: Metrics) -> None:
    """Look at the outbox and the incidents now and then, so that a scrape need not."""
    while True:
        with suppress(StoreError):  # which the store counts; what was last seen stays
            metrics.outbox = Outbox(await store.count_deliveries(), await store.oldest_pending())
            metrics.tallies = await store.tally_incidents()
        metrics.no_data = {
            (watched.plan.target, name): name in watchdog.overdue for name, watched in watchdog.schedules.items()
        }
        metrics.database_errors = store.errors
        await asyncio.sleep(PULSE_S)


async def _watch_deployments(store: Store, scheduler: Scheduler) -> None:
    """Probe at once what somebody says has changed, here or through the database."""
    known = wiring.utc_now()
    while True:
        await asyncio.sleep(HEED_S)
        with suppress(StoreError):
            fresh = [each for each in await store.deployments() if each.declared_at > known]
            for each in fresh:
                _LOG.info("deployment_declared", target=each.target, deployment=each.name, by=each.declared_by)
            for target in {each.target for each in fresh}:
                scheduler.trigger_now(target)
            known = max((each.declared_at for each in fresh), default=known)


def _refuse_to_move(old: wiring.CheckedConfig, new: wiring.CheckedConfig) -> None:
    for key in ("storage", "server"):
        if getattr(old.config, key) != getattr(new.config, key):
            raise ConfigError(key, "cannot be changed while the daemon runs; restart it")


def _planned(parts: wiring.CheckedConfig, plans: Mapping[str, Plan]) -> dict[str, Planned]:
    now = wiring.utc_now()
    return {
        name: Planned(
            plan.target,
            tuple(suite.name for suite in plan.suites),
            longest_interval_s(trigger_of(parts.config.schedules[name], where=f"schedules.{name}"), now),
        )
        for name, plan in plans.items()
    }


def _plans(parts: wiring.CheckedConfig) -> dict[str, Plan]:
    if not parts.config.schedules:
        raise ConfigError("schedules", "there is none, so nothing would ever be probed")
    plans = {}
    for name, schedule in parts.config.schedules.items():
        trigger_of(schedule, where=f"schedules.{name}")
        plans[name] = wiring.plan_for(parts, schedule.target, schedule.suites, schedule.policy)
    return plans


def _courier(parts: wiring.CheckedConfig, store: Store, notifiers: Mapping[str, Any], metrics: Metrics) -> OutboxWorker:
    return OutboxWorker(
        store,
        notifiers,
        wiring.utc_now,
        delivered=metrics.alerts,
        failed=metrics.refused,
        dead=metrics.dead_letters,
        on_call=parts.config.on_call,
    )


def _watchdog(parts: wiring.CheckedConfig, plans: Mapping[str, Plan], courier: OutboxWorker) -> Watchdog:
    now = wiring.utc_now()
    schedules = {
        name: WatchedSchedule(plan, no_data_after_s(parts.config.schedules[name], now, where=f"schedules.{name}"))
        for name, plan in plans.items()
    }
    return Watchdog(schedules, courier.store, courier.on_call, wiring.utc_now, courier.wake)


def _timetable(
    parts: wiring.CheckedConfig,
    plans: Mapping[str, Plan],
    targets: Mapping[str, wiring.TargetClients],
    metrics: Metrics,
    courier: OutboxWorker,
    watchdog: Watchdog,
) -> Scheduler:
    return Scheduler(
        metrics,
        {
            name: (
                parts.config.schedules[name],
                plan,
                World(
                    courier.store,
                    targets[plan.target].retriever,
                    courier.on_call,
                    wiring.utc_now,
                    abandoned_runs.this_process(),
                    courier.wake,
                    courier.announce,
                    targets[plan.target].answerer,
                    targets[plan.target].judge,
                    targets[plan.target].raw_retriever,
                ),
            )
            for name, plan in plans.items()
        },
        watchdog,
    )

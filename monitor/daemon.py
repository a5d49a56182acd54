"""The long-running service: schedules, outbox and HTTP server around one store."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog

from monitor import wiring
from monitor.adapters.exporters.prometheus import Metrics
from monitor.api.app import create_app
from monitor.api.server import listen, running
from monitor.cycle import Plan, World
from monitor.delivery import Courier
from monitor.errors import ConfigError
from monitor.ports import Store
from monitor.schedule import Timetable, trigger_of

_LOG = structlog.get_logger(__name__)


@dataclass(slots=True)
class Daemon:
    """A running service."""

    url: str
    store: Store
    timetable: Timetable
    metrics: Metrics


async def serve_forever(parts: wiring.Parts) -> None:
    """Run until SIGTERM or SIGINT, then stop in order: no new probe, runs marked, alerts kept, store closed."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(parts) as daemon:
        _LOG.info("serving", url=daemon.url, schedules=list(daemon.timetable.plans))
        await stop.wait()
        _LOG.info("stopping")


@asynccontextmanager
async def serving(parts: wiring.Parts) -> AsyncIterator[Daemon]:
    """The whole service, started on entry and stopped on exit. Everything is checked before anything starts."""
    plans = _plans(parts)
    with listen(parts.config.server.host, parts.config.server.port) as listener:
        async with wiring.open_store(parts.config) as store:
            for run in await wiring.close_abandoned_runs(store, now=wiring.utc_now()):
                _LOG.warning("run_interrupted", run=run.run_id, target=run.target, suite=run.suite_name)
            metrics = Metrics()
            app = create_app(metrics, is_ready=lambda: True)
            async with _adapters(parts) as (retrievers, notifiers), running(app, listener) as url:
                timetable = _timetable(parts, plans, store, retrievers, metrics)
                courier = Courier(store, notifiers, wiring.utc_now, delivered=metrics.alerts, failed=metrics.refused)
                async with _working(timetable, courier):
                    yield Daemon(url, store, timetable, metrics)


@asynccontextmanager
async def _adapters(parts: wiring.Parts) -> AsyncIterator[tuple[dict[str, Any], dict[str, Any]]]:
    retrievers = {name: part.build() for name, part in parts.retrievers.items()}
    notifiers = {name: part.build() for name, part in parts.notifiers.items()}
    try:
        yield retrievers, notifiers
    finally:
        for adapter in (*retrievers.values(), *notifiers.values()):
            await adapter.close()


@asynccontextmanager
async def _working(timetable: Timetable, courier: Courier) -> AsyncIterator[None]:
    delivering = asyncio.create_task(courier.deliver_forever())
    scheduler = timetable.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
        await timetable.stop()
        delivering.cancel()
        with suppress(asyncio.CancelledError):
            await delivering


def _plans(parts: wiring.Parts) -> dict[str, Plan]:
    if not parts.config.schedules:
        raise ConfigError("schedules", "there is none, so nothing would ever be probed")
    plans = {}
    for name, schedule in parts.config.schedules.items():
        trigger_of(schedule, where=f"schedules.{name}")
        plans[name] = wiring.plan_for(parts, schedule.target, schedule.suites, schedule.policy)
    return plans


def _timetable(
    parts: wiring.Parts, plans: Mapping[str, Plan], store: Store, retrievers: Mapping[str, Any], metrics: Metrics
) -> Timetable:
    owner = wiring.this_process()
    return Timetable(
        metrics,
        {
            name: (
                parts.config.schedules[name],
                plan,
                World(store, retrievers[plan.target], parts.config.routed_notifiers, wiring.utc_now, owner),
            )
            for name, plan in plans.items()
        },
    )

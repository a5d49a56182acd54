"""The parts of the daemon that work in the background, built from a checked configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from monitor.adapters.exporters.prometheus import Metrics, Planned
from monitor.alerting.no_data import Watchdog, WatchedSchedule
from monitor.alerting.outbox import OutboxWorker
from monitor.errors import ConfigError
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.service import wiring
from monitor.service.schedule import Entry
from monitor.service.triggers import longest_interval_s, no_data_after_s, trigger_of
from monitor.world import World


def plans_of(checked: wiring.CheckedConfig) -> dict[str, Plan]:
    """The plan of each schedule. Raises ConfigError if there is no schedule or one is wrong."""
    if not checked.config.schedules:
        raise ConfigError("schedules", "there is none, so no target would be probed")
    plans = {}
    for name, schedule in checked.config.schedules.items():
        trigger_of(schedule, where=f"schedules.{name}")
        plans[name] = wiring.plan_for(checked, schedule.target, schedule.suites, schedule.policy)
    return plans


def planned_intervals(checked: wiring.CheckedConfig, plans: Mapping[str, Plan]) -> dict[str, Planned]:
    """The target, suites and longest interval of each schedule, as the metrics export them."""
    now = wiring.utc_now()
    return {
        name: Planned(
            plan.target,
            tuple(suite.name for suite in plan.suites),
            longest_interval_s(trigger_of(checked.config.schedules[name], where=f"schedules.{name}"), now),
        )
        for name, plan in plans.items()
    }


def build_outbox_worker(
    checked: wiring.CheckedConfig, store: Store, notifiers: Mapping[str, Any], metrics: Metrics
) -> OutboxWorker:
    """The worker that delivers queued alerts."""
    return OutboxWorker(
        store,
        notifiers,
        wiring.utc_now,
        delivered=metrics.alerts,
        failed=metrics.refused,
        dead=metrics.dead_letters,
        on_call=checked.config.on_call,
    )


def build_watchdog(checked: wiring.CheckedConfig, plans: Mapping[str, Plan], outbox: OutboxWorker) -> Watchdog:
    """The watchdog over schedules without data."""
    now, schedules = wiring.utc_now(), checked.config.schedules
    watched = {
        name: WatchedSchedule(plan, no_data_after_s(schedules[name], now, where=f"schedules.{name}"))
        for name, plan in plans.items()
    }
    return Watchdog(watched, outbox.store, outbox.on_call, wiring.utc_now, outbox.wake)


def entries_of(
    checked: wiring.CheckedConfig,
    plans: Mapping[str, Plan],
    clients: Mapping[str, wiring.TargetClients],
    outbox: OutboxWorker,
) -> dict[str, Entry]:
    """Schedule, plan and world of each schedule, as the scheduler works on them."""
    schedules = checked.config.schedules
    return {
        name: (schedules[name], plan, _world(checked, clients[plan.target], outbox)) for name, plan in plans.items()
    }


def _world(checked: wiring.CheckedConfig, clients: wiring.TargetClients, outbox: OutboxWorker) -> World:
    world = wiring.world_of(checked, clients, outbox.store)
    return replace(world, wake=outbox.wake)

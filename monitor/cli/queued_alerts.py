"""Delivery of queued alerts by a command that ends."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.alerting.outbox import OutboxWorker
from monitor.ports.store import Store
from monitor.service import wiring


async def deliver_queued(
    checked: wiring.CheckedConfig, store: Store, names: Sequence[str] | None = None
) -> tuple[int, list[str]]:
    """Send queued alerts now, in the order of each incident; an alert that fails stays queued for the daemon.

    Returns the number of delivered alerts, and one line for each failure.
    """
    notifiers = {name: adapter.build() for name, adapter in checked.notifiers.items() if names is None or name in names}
    worker = OutboxWorker(store, notifiers, wiring.utc_now, on_call=checked.config.on_call)
    try:
        while await worker.deliver_due():
            pass
    finally:
        for notifier in notifiers.values():
            await notifier.close()
    failures = [f"{name}: {count} failed ({reason})" for (name, reason), count in worker.failed.items()]
    return sum(worker.delivered.values()), failures

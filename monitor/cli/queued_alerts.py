"""Delivery of queued alerts by a command that ends."""

from __future__ import annotations

from monitor.alerting.outbox import OutboxWorker
from monitor.ports.store import Store
from monitor.service import wiring


async def deliver_queued(checked: wiring.CheckedConfig, store: Store) -> None:
    """Send queued alerts now; an alert that fails stays queued for the daemon."""
    notifiers = {name: adapter.build() for name, adapter in checked.notifiers.items()}
    try:
        await OutboxWorker(store, notifiers, wiring.utc_now, on_call=checked.config.on_call).deliver_due()
    finally:
        for notifier in notifiers.values():
            await notifier.close()

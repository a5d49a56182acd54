"""`recallwatch notify retry`: send undelivered alerts now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import NOT_MEASURED, Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def notify_retry(
    name: Annotated[str | None, typer.Argument(help="A notifier of the configuration; by default all.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Send every undelivered alert of a notifier now, also those that were given up."""
    finish(perform(retry(config, name)), as_json)


async def retry(path: Path, name: str | None) -> Result:
    """Make the undelivered alerts due, and deliver them in the order of their incidents."""
    from monitor.cli.queued_alerts import deliver_queued
    from monitor.service import wiring

    checked = wiring.load(path)
    if name is not None and name not in checked.notifiers:
        listed = ", ".join(checked.notifiers) or "none"
        raise ConfigError("notifiers", f'unknown notifier "{name}"; known notifiers: {listed}')
    names = tuple(checked.notifiers) if name is None else (name,)
    async with wiring.open_store(checked.config) as store:
        n_due = await store.retry_deliveries(names, wiring.utc_now())
        delivered, failures = await deliver_queued(checked, store, names)
        counts = await store.count_deliveries()
    data = {"due": n_due, "delivered": delivered, "failures": failures, "pending": counts["pending"]}
    lines = [f"{n_due} alerts were due; {delivered} delivered, {counts['pending']} still pending"]
    lines += [f"[red]✗[/] {failure}" for failure in failures]
    return Result([*lines], data, NOT_MEASURED if failures else 0)

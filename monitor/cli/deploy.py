"""Declaring what a target serves from now on, for people and pipelines that reach the database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from monitor.cli.result import Result
from monitor.errors import ConfigError
from monitor.model.deployments import Deployment
from monitor.reports import terminal
from monitor.service import wiring


async def deploy(path: Path, target: str, name: str, by: str, details: Sequence[str]) -> Result:
    """Keep that a target serves something else from now on; a running daemon probes it within seconds."""
    parts = wiring.load(path)
    if target not in parts.retrievers:
        listed = ", ".join(parts.retrievers) or "none"
        raise ConfigError("targets", f"no target is called {target}; there are: {listed}")
    deployment = Deployment(target, name, by, wiring.utc_now(), _details(details))
    async with wiring.open_store(parts.config) as store:
        await store.save_deployment(deployment)
        known = await store.deployments(target, limit=10)
    shown = f"[green]✓[/] {target} serves {name} from now on; a running daemon probes it at once"
    return Result([shown, _table(known)], {"declared": terminal.plain(deployment)})


def _details(stated: Sequence[str]) -> dict[str, str]:
    details = {}
    for each in stated:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise ConfigError("--detail", f"{each!r} must be KEY=VALUE, such as commit=4f2c1d")
        details[key] = value
    return details


def _table(deployments: Sequence[Deployment]) -> Table:
    table = Table("deployment", "since", "by", "detail", title="Declared deployments", title_justify="left")
    for each in deployments:
        detail = ", ".join(f"{key}={value}" for key, value in each.detail.items())
        table.add_row(each.name, f"{each.declared_at:%Y-%m-%d %H:%M:%S}", each.declared_by, detail)
    return table

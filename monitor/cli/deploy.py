"""`recallwatch deploy`: declare which deployment a target serves from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, By, ConfigPath, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.table import Table

    from monitor.model.deployments import Deployment


def deploy(
    name: Annotated[str, typer.Argument(help="The deployment that the target serves now, such as a model version.")],
    target: Annotated[str, typer.Option(help="A target of the configuration.")],
    by: By,
    detail: Annotated[list[str] | None, typer.Option(help="A detail to record, as KEY=VALUE. Repeatable.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Declare which deployment a target serves from now on; a running daemon probes it at once."""
    finish(perform(declare(config, target, name, by, detail or [])), as_json)


async def declare(path: Path, target: str, name: str, by: str, details: Sequence[str]) -> Result:
    """Record the new deployment of a target; a running daemon probes it within seconds."""
    from monitor.model.deployments import Deployment
    from monitor.reports import terminal
    from monitor.service import wiring

    checked = wiring.load(path)
    wiring.require_target(checked, target)
    deployment = Deployment(
        target=target, name=name, declared_by=by, declared_at=wiring.utc_now(), detail=_details(details)
    )
    async with wiring.open_store(checked.config) as store:
        await store.save_deployment(deployment)
        deployments = await store.deployments(target, limit=10)
    sentence = f"[green]✓[/] {target} serves {name} from now on; a running daemon probes it at once"
    return Result([sentence, _table(deployments)], {"declared": terminal.plain(deployment)})


def _details(texts: Sequence[str]) -> dict[str, str]:
    details = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError("--detail", f"{text!r} must be KEY=VALUE, such as commit=4f2c1d")
        details[key] = value
    return details


def _table(deployments: Sequence[Deployment]) -> Table:
    from rich.table import Table

    table = Table("deployment", "since", "by", "detail", title="Declared deployments", title_justify="left")
    for deployment in deployments:
        detail = ", ".join(f"{key}={value}" for key, value in deployment.detail.items())
        table.add_row(deployment.name, f"{deployment.declared_at:%Y-%m-%d %H:%M:%S}", deployment.declared_by, detail)
    return table

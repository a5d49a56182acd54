"""`recallwatch deploy`: declare which deployment a target serves from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, By, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from monitor.model.deployments import Deployment


def deploy(
    name: Annotated[str, typer.Argument(help="The deployment that the target serves now, such as a model version.")],
    target: Annotated[str, typer.Option(help="A target of the configuration.")],
    by: By,
    detail: Annotated[list[str] | None, typer.Option(help="A detail to record, as KEY=VALUE. Repeatable.")] = None,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Declare which deployment a target serves from now on; a running daemon probes it at once."""
    finish(perform(declare(place, target, name, by, detail or [])), as_json)


async def declare(place: Place, target: str, name: str, by: str, details: Sequence[str]) -> Result:
    """Record the new deployment of a target; a running daemon probes it within seconds."""
    from monitor.cli.session import open_session
    from monitor.model.deployments import Deployment
    from monitor.reports import terminal
    from monitor.service import wiring

    deployment = Deployment(
        target=target, name=name, declared_by=by, declared_at=wiring.utc_now(), detail=_details(details)
    )
    async with open_session(place, needs_file=True) as session:
        await session.require_target(target)
        await session.records.save_deployment(deployment)
        deployments = await session.records.deployments(target, limit=10)
    deployment = next((each for each in deployments if each.name == name), deployment)
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

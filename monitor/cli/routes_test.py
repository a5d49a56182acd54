"""`recallwatch routes test`: which notifiers an alert goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from monitor.incidents.routing import Labels


def routes_test(
    target: Annotated[str, typer.Option(help="The target of the alert.")] = "",
    severity: Annotated[Literal["warning", "critical"], typer.Option(help="The severity of the alert.")] = "critical",
    axis: Annotated[list[str] | None, typer.Option(help="An axis with a drop. Repeatable.")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="A suite with a drop. Repeatable.")] = None,
    owner: Annotated[str, typer.Option(help="The owner; by default the owner of the target.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show which notifiers an alert goes to, and whether a silence suppresses it now."""
    from monitor.incidents.routing import Labels
    from monitor.model.incidents import Severity

    labels = Labels(
        target=target, severity=Severity(severity), owner=owner, axes=tuple(axis or ()), suites=tuple(suite or ())
    )
    finish(perform(route(config, labels)), as_json)


async def route(path: Path, labels: Labels) -> Result:
    """The notifiers of an alert with these labels, and the silence that suppresses it."""
    from dataclasses import asdict

    from monitor.incidents.routing import Labels
    from monitor.service import wiring

    on_call = wiring.load(path).config.on_call
    if not labels.owner:
        owner = on_call.owners.get(labels.target, "")
        labels = Labels(
            target=labels.target, severity=labels.severity, owner=owner, axes=labels.axes, suites=labels.suites
        )
    notifiers = on_call.notifiers_for(labels)
    until, reason = on_call.silence_for(labels, wiring.utc_now())
    output: list[RenderableType] = [f"→ {', '.join(notifiers) or 'no notifier'}"]
    if until is not None:
        output.append(f"[yellow]silenced now, until {until:%Y-%m-%d %H:%M} UTC: {reason}[/]")
    data = {"labels": asdict(labels), "notifiers": notifiers, "silenced_until": until, "silence": reason}
    return Result(output, data)

"""The commands about incidents and about who is told of them."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.terminal import AsJson, ConfigPath, finish, perform
from monitor.config.init_template import DEFAULT_CONFIG
from monitor.model.incidents import Severity

incident_app = typer.Typer(
    help="Incidents: what lasts, who looks after it, what was a false alarm.", no_args_is_help=True
)
routes_app = typer.Typer(help="Which notifiers are told of what.", no_args_is_help=True)

IncidentId = Annotated[str, typer.Argument(help="The incident, by its id.")]
By = Annotated[str, typer.Option(help="Who says so.", envvar="USER")]


@incident_app.command("list")
def incident_list(
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List incidents, those that last first, and the noise ledger."""
    from monitor.cli import incidents

    finish(perform(incidents.listed(config, limit)), as_json)


@incident_app.command("show")
def incident_show(incident: IncidentId, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show one incident."""
    from monitor.cli import incidents

    finish(perform(incidents.shown(config, incident)), as_json)


@incident_app.command("ack")
def incident_ack(incident: IncidentId, by: By, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Say that you look after an incident; everybody who was told of it is told so."""
    from monitor.cli import incidents

    finish(perform(incidents.taken(config, incident, by)), as_json)


@incident_app.command("dismiss")
def incident_dismiss(
    incident: IncidentId,
    reason: Annotated[str, typer.Option(help="Why it is a false alarm.")],
    by: By,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say that an incident is a false alarm. The same cause stays quiet unless it grows critical."""
    from monitor.cli import incidents

    finish(perform(incidents.dismissed(config, incident, by, reason)), as_json)


@routes_app.command("test")
def routes_test(
    target: Annotated[str, typer.Option(help="The target of the alert.")] = "",
    severity: Annotated[Severity, typer.Option(help="Its severity.")] = Severity.CRITICAL,
    axis: Annotated[list[str] | None, typer.Option(help="An axis that fell. Repeatable.")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="A suite that fell. Repeatable.")] = None,
    owner: Annotated[str, typer.Option(help="The owner; that of the target if left out.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show who would be told of an alert, and whether a silence would hold it back now."""
    from monitor.cli import incidents
    from monitor.incidents.routing import Labels

    labels = Labels(target, severity, owner, tuple(axis or ()), tuple(suite or ()))
    finish(perform(incidents.routed(config, labels)), as_json)

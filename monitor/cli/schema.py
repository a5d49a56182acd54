"""`recallwatch schema`: the JSON Schema of the configuration, or of the messages of the webhook notifier."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    webhook: Annotated[bool, typer.Option("--webhook", help="The messages of the webhook notifier instead.")] = False,
) -> None:
    """Print the JSON Schema of the configuration, or of the messages of the webhook notifier."""
    import json

    from monitor.service.json_schema import json_schema
    from monitor.service.webhook_schema import webhook_schema

    typer.echo(json.dumps(webhook_schema() if webhook else json_schema(), indent=2))

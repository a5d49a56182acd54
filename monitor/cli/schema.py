"""`recallwatch schema`: the JSON Schema of the configuration."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of the configuration."""
    import json

    from monitor.service.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))

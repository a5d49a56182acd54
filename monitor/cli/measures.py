"""`recallwatch measures`: the measures that a policy can name."""

from __future__ import annotations

from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, finish


def measures(as_json: AsJson = False) -> None:
    """List the measures: names, aliases, axis, range, unit and reference."""
    finish(list_measures(), as_json)


def list_measures() -> Result:
    """Every measure of the registry."""
    from rich.table import Table
    from rich.text import Text

    from monitor.evaluation.measures import table

    rows = table()
    headings = tuple(dict.fromkeys(key for row in rows for key in row))
    output = Table(*(heading.replace("_", " ") for heading in headings), title="Measures", title_justify="left")
    for row in rows:
        output.add_row(*(Text(_cell(row.get(heading))) for heading in headings))
    return Result([output], {"measures": list(rows)})


def _cell(value: object) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

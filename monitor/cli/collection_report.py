"""The result of an import or export of a suite: counts, and the parts that were left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from monitor.cli.result import Result
from monitor.suites.formats.collection import Collection


def report_collection(
    headline: str, collection: Collection, data: dict[str, Any], omissions: dict[str, Mapping[str, int]]
) -> Result:
    """The counts of a collection. ``omissions`` maps a heading to reasons with their counts."""
    counts = collection.counts()
    output: list[RenderableType] = [f"[green]✓[/] {escape(headline)}"]
    output.append("  " + ", ".join(f"{count} {noun}" for noun, count in counts.items()))
    for heading, reasons in omissions.items():
        output += [f"  {heading.replace('_', ' ')}: {count} {escape(reason)}" for reason, count in reasons.items()]
    return Result(output, {**data, **counts, **omissions})

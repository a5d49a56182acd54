"""Read a query log: JSON Lines, CSV, TSV, or one query per line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from monitor.errors import SuiteError
from monitor.suites.lines import read_lines, read_text

JSON_ENDINGS, TABLE_ENDINGS = (".jsonl", ".ndjson", ".json"), {".csv": ",", ".tsv": "\t"}


class Columns(NamedTuple):
    """The names of the columns or keys of a log."""

    query: str = "query"
    stratum: str | None = None
    """Stratify by this column, too, besides length and frequency."""
    names: tuple[str, ...] = ()
    """Columns with names of persons, to be removed from the queries."""


class Logged(NamedTuple):
    """One line of the log."""

    text: str
    stratum: str = ""
    names: tuple[str, ...] = ()


def read(path: Path, columns: Columns) -> Iterator[Logged]:
    """All queries in the order of the log, including empty ones."""
    ending = path.suffix.lower()
    if ending in JSON_ENDINGS:
        for where, row in read_lines(path):
            yield _logged(row, columns, where)
    elif ending in TABLE_ENDINGS:
        yield from _table(path, columns, TABLE_ENDINGS[ending])
    else:
        if columns.stratum or columns.names:
            raise SuiteError(str(path), "a plain log has no columns; give a .jsonl, .csv or .tsv")
        for _, line in read_text(path):
            yield Logged(line)


def _table(path: Path, columns: Columns, separator: str) -> Iterator[Logged]:
    header: list[str] | None = None
    for where, line in read_text(path):
        try:
            cells = next(csv.reader(io.StringIO(line), delimiter=separator, strict=True))
        except (csv.Error, StopIteration) as error:
            raise SuiteError(where, f"not a table row: {error}") from error
        if header is None:
            header = cells
        elif len(cells) != len(header):
            raise SuiteError(where, f"has {len(cells)} columns, and the header {len(header)}")
        else:
            yield _logged(dict(zip(header, cells, strict=True)), columns, where)


def _logged(row: Mapping[str, Any], columns: Columns, where: str) -> Logged:
    def value(name: str) -> str:
        if name not in row:
            raise SuiteError(where, f"unknown column {name}; known columns: {', '.join(map(str, row))}")
        cell = row[name]
        if cell is not None and not isinstance(cell, str | int | float):
            raise SuiteError(where, f"{name} must be a string")
        return "" if cell is None else str(cell)

    stratum = value(columns.stratum) if columns.stratum else ""
    return Logged(value(columns.query), stratum, tuple(map(value, columns.names)))

"""Read files as they are published: compressed, in UTF-8 or Latin-1, as lines, tables or Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from monitor.errors import SuiteError
from monitor.suites.formats.json_values import Value, opening, read_json
from monitor.suites.lines import LONGEST_LINE

_GZIP = b"\x1f\x8b"
MOST_BYTES = 2**32
"""A larger file, after decompression, is refused."""
_COLUMNAR = (".parquet", ".arrow")
ROW_SUFFIXES = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", *_COLUMNAR)


def read_published(path: Path) -> str:
    """The text of a file, decompressed. A file that is not UTF-8 is read as Latin-1, as older collections are."""
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP):
            with gzip.open(io.BytesIO(raw)) as file:
                raw = file.read(MOST_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise SuiteError(str(path), getattr(error, "strerror", None) or str(error)) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\0", " ").replace("\r\n", "\n")


def published_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Each line that is not blank, with its file and line."""
    for number, line in enumerate(read_published(path).split("\n"), 1):
        if len(line) > LONGEST_LINE:
            raise SuiteError(f"{path}:{number}", f"the line is longer than {LONGEST_LINE // 2**20} MiB")
        if line.strip():
            yield f"{path}:{number}", line


def beginning(path: Path) -> str:
    """The first characters of a file after white space, decompressed; empty for a folder."""
    try:
        with path.open("rb") as file:
            is_compressed = file.read(2) == _GZIP
        if not is_compressed:
            return opening(path)
        with gzip.open(path) as file:
            return file.read(65_536).decode("utf-8-sig", errors="ignore").lstrip()
    except (OSError, EOFError, zlib.error):
        return ""


def published_rows(path: Path) -> Iterator[Value]:
    """The rows of a table with a header (CSV, TSV), of JSON Lines, of a JSON list, of Parquet or Arrow."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in _COLUMNAR:
        yield from _columnar_rows(path, suffix)
    elif suffix in (".csv", ".tsv"):
        yield from _table_rows(path, "\t" if suffix == ".tsv" else ",")
    elif beginning(path).startswith("["):
        yield from read_json(path).items()
    else:
        for where, line in published_lines(path):
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise SuiteError(where, f"not JSON: {error.msg} at character {error.colno}") from error
            yield _row(row, where)


def _table_rows(path: Path, delimiter: str) -> Iterator[Value]:
    reader = csv.DictReader(io.StringIO(read_published(path), newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row:
                raise SuiteError(where, f"has more columns than the header: {', '.join(reader.fieldnames or ())}")
            yield _row({key: value for key, value in row.items() if value not in (None, "")}, where)
    except csv.Error as error:
        raise SuiteError(f"{path}:{reader.line_num}", f"not CSV: {error}") from error


def _columnar_rows(path: Path, suffix: str) -> Iterator[Value]:
    try:
        arrow: Any = import_module("pyarrow.parquet" if suffix == ".parquet" else "pyarrow.ipc")
    except ModuleNotFoundError:
        raise SuiteError(str(path), "needs pyarrow: pip install 'recallwatch[parquet]'") from None
    try:
        table = arrow.read_table(path) if suffix == ".parquet" else arrow.open_stream(path.read_bytes()).read_all()
        rows = table.to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's errors derive from them
        raise SuiteError(str(path), f"cannot be read as {suffix[1:]}: {str(error).splitlines()[0]}") from error
    for number, row in enumerate(rows, 1):
        yield _row(row, f"{path}:{number}")


def _row(row: Any, where: str) -> Value:
    return Value(row, lambda _: where)

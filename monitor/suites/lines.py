"""Read lines of suite files with their file and line number, and validate values. Every mistake is a `SuiteError`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from monitor.errors import SuiteError

LONGEST_LINE = 16 * 2**20
"""Bytes. A longer line means that the file lost its line breaks."""

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each JSON object of a JSON Lines file, with its file and line."""
    for where, line in read_text(path):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise SuiteError(where, f"not JSON: {error.msg} at character {error.colno}") from error
        if not isinstance(row, dict):
            raise SuiteError(where, "must be a JSON object")
        yield where, row


def read_text(path: Path) -> Iterator[tuple[str, str]]:
    """Each line that is not blank, with its file and line."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
                where = f"{path}:{number}"
                if len(raw) > LONGEST_LINE:
                    raise SuiteError(where, f"the line is longer than {LONGEST_LINE // 2**20} MiB")
                try:
                    line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    raise SuiteError(where, f"not UTF-8 at byte {error.start + 1}") from error
                if line.strip():
                    yield where, line
    except OSError as error:
        raise SuiteError(str(path), error.strerror or str(error)) from error


def identifier(row: Mapping[str, Any], where: str) -> str:
    """The id of a query or a document."""
    value = text_of(row.get("_id"), "_id", where)
    if _CONTROL_CHARACTER.search(value):
        raise SuiteError(where, f"_id {value!r} has a tab, a line break or another control character")
    return value


def label(metadata: Mapping[str, Any], key: str, where: str) -> str:
    """A stratum or cluster, which may be a number; empty if missing."""
    value = metadata.get(key)
    return "" if value is None else text_of(str(value) if isinstance(value, int) else value, f"metadata.{key}", where)


def text_of(value: Any, name: str, where: str, *, may_be_empty: bool = False) -> str:
    """The value, validated as a string."""
    if value is None:
        raise SuiteError(where, f"{name} is missing")
    if not isinstance(value, str):
        raise SuiteError(where, f"{name} must be a string in quotes, not {value!r:.40}")
    if not value.strip() and not may_be_empty:
        raise SuiteError(where, f"{name} is empty")
    if "\0" in value:
        raise SuiteError(where, f"{name} has the character U+0000, which databases cannot store")
    return value


def refer_to_query(query_id: str, queries: Collection[str], where: str) -> None:
    """Raise SuiteError for an unknown query."""
    if query_id not in queries:
        raise SuiteError(where, f"unknown query {query_id}: it is not in queries.jsonl")


def refer_to_document(doc_id: str, documents: Collection[str] | None, where: str) -> None:
    """Raise SuiteError for an unknown document. ``documents`` is None if the corpus is not part of the suite."""
    if documents is not None and doc_id not in documents:
        raise SuiteError(where, f"unknown document {doc_id}: it is not in corpus.jsonl")

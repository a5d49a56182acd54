"""Any table of queries with their relevant documents: CSV, TSV, JSON Lines or Parquet, with its columns named by --map.

    --map query=question,relevant=doc_ids        `relevant` is a list, or texts separated by | ; or spaces
    --map query=question,relevant=doc,grade=score   one document in each row: rows with the same query are merged

Keys: `query` and `relevant`, optional `id`, `grade`, `answers`, `stratum` and `cluster`. Nested columns are named with
dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.suites.formats import corpora
from monitor.suites.formats.collection import (
    Answer,
    Collection,
    CollectionBuilder,
    Format,
    Sources,
    Topic,
    hashed_id,
    whole_number,
)
from monitor.suites.formats.json_values import Value
from monitor.suites.formats.source_files import published_rows

KEYS = ("query", "relevant", "id", "grade", "answers", "stratum", "cluster")
_SEPARATORS = re.compile(r"\s*[|;]\s*|\s*,\s*|\s+")


def read(sources: Sources) -> Collection:
    """Read a table."""
    columns = sources.columns
    for key in ("query", "relevant"):
        if key not in columns:
            raise SuiteError("--map", f"{key} is missing; write for example query=question,relevant=doc_ids")
    builder = CollectionBuilder(sources.source, ignore_unknown=sources.ignore_unknown)
    if sources.corpus:
        corpora.add_corpus(builder, sources.corpus)
    rows = list(published_rows(sources.source))
    _refuse_missing_columns(rows, columns, sources.source)
    for row in rows:
        with row.placing():
            _add(builder, row, columns)
    return builder.finish()


def parse_mapping(text: str) -> dict[str, str]:
    """The columns of ``query=question,relevant=doc_ids``. Raises SuiteError for an unknown key."""
    columns: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        key, equals, column = (each.strip() for each in part.partition("="))
        if key not in KEYS or not equals or not column:
            raise SuiteError("--map", f"{part!r} must be key=column with one of the keys {', '.join(KEYS)}")
        columns[key] = column
    return columns


def _add(builder: CollectionBuilder, row: Value, columns: Mapping[str, str]) -> None:
    text = str(_member(row, columns["query"]) or "")
    query_id = str(_member(row, columns.get("id", "")) or hashed_id("q-", text))
    if not builder.has_topic(query_id):
        stratum, cluster = (str(_member(row, columns.get(key, "")) or "") for key in ("stratum", "cluster"))
        answers = tuple(Answer(answer) for answer in _texts(_member(row, columns.get("answers", "")), split=False))
        topic = Topic(query_id=query_id, text=text, answers=answers, stratum=stratum, cluster=cluster)
        builder.add_topic(topic)
    grade = _member(row, columns.get("grade", ""))
    for doc_id, own_grade in _graded(_member(row, columns["relevant"])):
        value = own_grade if grade is None else grade
        builder.judge(Qrel(query_id, doc_id, whole_number(str(value), row.where)))


def _graded(value: Any) -> Iterator[tuple[str, Any]]:
    """Document ids with their grades: a mapping has grades, everything else is relevant."""
    parsed = _parsed(value)
    if isinstance(parsed, Mapping):
        yield from parsed.items()
    else:
        yield from ((doc_id, 1) for doc_id in dict.fromkeys(_texts(parsed)))


def _texts(value: Any, *, split: bool = True) -> list[str]:
    parsed = _parsed(value)
    if parsed is None:
        return []
    if isinstance(parsed, list):
        return [str(each) for each in parsed if each is not None]
    text = str(parsed).strip()
    return [each for each in _SEPARATORS.split(text) if each] if split else [text]


def _parsed(value: Any) -> Any:
    """A list or mapping that a table holds as text, as pandas writes it."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        for text in (value, value.replace("'", '"')):
            try:
                return orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
    return value


def _member(row: Value, column: str) -> Any:
    """The value of a column; dots lead into nested objects. None if it is missing."""
    value: Any = row.object()
    if column in value:
        return value[column]
    for key in column.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _refuse_missing_columns(rows: list[Value], columns: Mapping[str, str], path: Path) -> None:
    for key, column in columns.items():
        if rows and all(_member(row, column) is None for row in rows):
            names = ", ".join(map(str, rows[0].object()))
            raise SuiteError(str(path), f"no row has the column {column} for {key}; columns: {names}")


FORMAT = Format(name="table", read=read, recognises=lambda _: False, takes_corpus=True, takes_columns=True)
"""Chosen by --map or --format, never by content: any table could be one."""

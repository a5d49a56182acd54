"""Quepid's ratings: CSV with the columns query, docid, rating.

A query without ratings is a line with its text only. Queries have no ids in the file: their ids are hashes of their
texts, which do not change when other queries are added or removed.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.suites.formats import corpora
from monitor.suites.formats.collection import (
    Collection,
    CollectionBuilder,
    Destination,
    Format,
    Sources,
    Topic,
    hashed_id,
    left_out,
    whole_number,
)
from monitor.suites.formats.json_values import opening, read_whole

COLUMNS = ["query", "docid", "rating"]


def read(sources: Sources) -> Collection:
    """Read a CSV file."""
    builder = CollectionBuilder(sources.source, ignore_unknown=sources.ignore_unknown)
    if sources.corpus:
        corpora.add_corpus(builder, sources.corpus)
    for where, (text, doc_id, rating) in _rows(sources.source):
        query_id = hashed_id("q-", text)
        if not builder.has_topic(query_id):
            builder.add_topic(Topic(query_id=query_id, text=text), where)
        if doc_id or rating:
            grade = whole_number(re.sub(r"\.0+$", "", rating.strip()), where)  # Quepid writes 3 as 3.0
            builder.judge(Qrel(query_id, doc_id, grade), where)
    return builder.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write a CSV file. Queries with the same text are merged, because the text is their only key in CSV."""
    merged = _merged(collection)
    with destination.path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_lines(merged))
    lost = Counter(left_out(collection, "documents", "answers", "strata", "clusters", "metadata", "pairs", "passages"))
    lost["queries with a repeated text"] = len(collection.topics) - len(merged.topics)
    lost["repeated judgements"] = len(collection.qrels) - len(merged.qrels)
    return +lost


def _merged(collection: Collection) -> Collection:
    """Merge queries with the same text and their judgements; the first grade of a document is kept."""
    first: dict[str, Topic] = {}
    for topic in collection.topics:
        first.setdefault(topic.text, topic)
    ids = {topic.query_id: first[topic.text].query_id for topic in collection.topics}
    grades: dict[tuple[str, str], int] = {}
    for qrel in collection.qrels:
        grades.setdefault((ids[qrel.query_id], qrel.doc_id), qrel.grade)
    qrels = tuple(Qrel(query_id, doc_id, grade) for (query_id, doc_id), grade in grades.items())
    return replace(collection, topics=tuple(first.values()), qrels=qrels)


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    reader = csv.reader(io.StringIO(read_whole(path), newline=""), strict=True)
    start_line = 1
    try:
        for fields in reader:
            where, start_line = f"{path}:{start_line}", reader.line_num + 1
            if where == f"{path}:1":
                _check_header(fields, where)
            elif fields:
                yield where, _three(fields, where)
    except csv.Error as error:
        raise SuiteError(f"{path}:{start_line}", f"not CSV: {error}") from error
    if start_line == 1:
        _check_header([], f"{path}:1")


def _check_header(fields: list[str], where: str) -> None:
    if [field.strip().lower() for field in fields] != COLUMNS:
        raise SuiteError(where, f"the first line must be {','.join(COLUMNS)}")


def _three(fields: list[str], where: str) -> list[str]:
    if len(fields) not in (1, 3):
        raise SuiteError(where, f"must have 3 columns (query, docid, rating), not {len(fields)}")
    return fields if len(fields) == 3 else [*fields, "", ""]


def _lines(collection: Collection) -> Iterator[tuple[str, ...]]:
    """Judgements in order. The texts of earlier queries precede a query out of order, to preserve the query order."""
    texts = {topic.query_id: topic.text for topic in collection.topics}
    waiting = iter(texts)
    written: set[str] = set()
    for qrel in collection.qrels:
        while qrel.query_id not in written:
            query_id = next(waiting)
            written.add(query_id)
            if query_id != qrel.query_id:
                yield (texts[query_id],)
        yield texts[qrel.query_id], qrel.doc_id, str(qrel.grade)
    yield from ((texts[query_id],) for query_id in waiting)


def _recognises(path: Path) -> bool:
    first = opening(path).splitlines()[:1]
    return (
        path.suffix.lower() == ".csv"
        and [field.strip().lower() for line in first for field in line.split(",")] == COLUMNS
    )


FORMAT = Format(name="csv", read=read, write=write, recognises=_recognises, takes_corpus=True)

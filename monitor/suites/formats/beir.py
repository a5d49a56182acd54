"""BEIR folders with the additions of recallwatch: the only lossless format.

    corpus.jsonl     {"_id", "title", "text", "metadata": {…}}
    queries.jsonl    {"_id", "text", "metadata": {"stratum", "cluster", "answers", "answer_spans", …}}
    qrels/test.tsv   query-id <tab> corpus-id <tab> score

Compressed files (`.gz`) and the layout of Hugging Face are read too: `corpus/`, `queries/` and `qrels/`, `default/` or
`data/` with Parquet, Arrow or TSV files of the split `test`, or of the only split.

`answer_spans` has one item for each item of `answers`: `{"doc_id", "start", "end"}`, or null.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from monitor.errors import SuiteError
from monitor.strict_yaml import TextLoader, read_yaml
from monitor.suites.formats import beir_files, corpora
from monitor.suites.formats.collection import (
    Answer,
    Collection,
    CollectionBuilder,
    Destination,
    Document,
    Format,
    Sources,
    Span,
    Topic,
)
from monitor.suites.formats.json_values import Value
from monitor.suites.formats.placement import write_lines, write_rows
from monitor.suites.formats.source_files import published_rows
from monitor.suites.lines import label, read_lines
from monitor.suites.reading import suite_name

HEADER = "query-id\tcorpus-id\tscore"


def read(sources: Sources) -> Collection:
    """Read the collection in a folder."""
    folder = sources.source
    if not folder.is_dir():
        raise SuiteError(str(folder), "no such folder; BEIR is a folder with queries.jsonl and qrels/test.tsv")
    builder = CollectionBuilder(folder, ignore_unknown=sources.ignore_unknown)
    for path in [sources.corpus] if sources.corpus else beir_files.part(folder, "corpus"):
        corpora.add_corpus(builder, path)
    for path in beir_files.part(folder, "queries") or [folder / "queries.jsonl"]:
        for row in published_rows(path):
            with row.placing():
                builder.add_topic(_topic(row))
    passages = _rows(folder / "passages.jsonl")
    for path in [sources.qrels] if sources.qrels else beir_files.qrels(folder, is_needed=not passages):
        for where, qrel in beir_files.read_qrels(path):
            builder.judge(qrel, where, may_repeat=True)
    return builder.finish(head=_head(folder), pairs=_rows(folder / "pairs.jsonl"), passages=passages)


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write the folder. Nothing is left out."""
    folder = destination.path
    folder.mkdir()
    head = yaml.safe_dump(dict(collection.head), allow_unicode=True, sort_keys=False, width=120)
    (folder / "suite.yaml").write_text(head, encoding="utf-8", newline="\n")
    if collection.documents is not None:
        write_rows(folder / "corpus.jsonl", map(_document_row, collection.documents))
    write_rows(folder / "queries.jsonl", map(_topic_row, collection.topics))
    if collection.qrels:
        (folder / "qrels").mkdir()
        lines = (f"{qrel.query_id}\t{qrel.doc_id}\t{qrel.grade}" for qrel in collection.qrels)
        write_lines(folder / "qrels" / "test.tsv", [HEADER, *lines])
    for name, rows in (("pairs.jsonl", collection.pairs), ("passages.jsonl", collection.passages)):
        if rows:
            write_rows(folder / name, rows)
    return {}


def answers_of(answers: Value, spans: Value) -> tuple[Answer, ...]:
    """Combine answers with their spans."""
    if answers.is_missing():
        return ()
    texts = [answer.text() for answer in answers.items()]
    if spans.is_missing():
        return tuple(map(Answer, texts))
    places = [None if span.is_missing() else span_of(span) for span in spans.items()]
    if len(places) != len(texts):
        raise spans.refusal(f"must have one item for each answer: {len(texts)}, not {len(places)}")
    return tuple(map(Answer, texts, places))


def span_of(value: Value) -> Span:
    """Parse a span."""
    return Span(value["doc_id"].text(), value["start"].whole_number(), value["end"].whole_number())


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of an optional file. They are validated after writing, as part of the suite."""
    return [row for _, row in read_lines(path)] if os.path.lexists(path) else []


def _topic(row: Value) -> Topic:
    query_id = corpora.id_text(corpora.first_of(row, beir_files.QUERY_IDS))
    text = corpora.first_of(row, beir_files.QUERY_TEXTS).text()
    metadata = row["metadata"]
    if metadata.is_missing():
        return Topic(query_id=query_id, text=text)
    other = dict(metadata.object())
    answers = answers_of(metadata["answers"], metadata["answer_spans"])
    stratum, cluster = label(other, "stratum", ""), label(other, "cluster", "")
    for key in ("stratum", "cluster", "answers", "answer_spans"):
        other.pop(key, None)
    return Topic(
        query_id=query_id,
        text=text,
        stratum=stratum,
        cluster=cluster,
        answers=answers,
        metadata=other,
    )


def _topic_row(topic: Topic) -> dict[str, Any]:
    spans = [answer.span._asdict() if answer.span else None for answer in topic.answers]
    labels = {
        "stratum": topic.stratum,
        "cluster": topic.cluster,
        "answers": [answer.text for answer in topic.answers],
        "answer_spans": spans if any(spans) else [],
    }
    metadata = {key: value for key, value in labels.items() if value} | dict(topic.metadata)
    return {"_id": topic.query_id, "text": topic.text} | ({"metadata": metadata} if metadata else {})


def _document_row(document: Document) -> dict[str, Any]:
    row = {"_id": document.doc_id, "title": document.title, "text": document.text}
    return row | ({"metadata": document.metadata} if document.metadata else {})


def _head(folder: Path) -> dict[str, Any]:
    path = folder / "suite.yaml"
    head = read_yaml(path, SuiteError, TextLoader) if os.path.lexists(path) else {}
    return {"name": suite_name(folder)} | head  # the default name is that of the folder


def _recognises(path: Path) -> bool:
    return bool(beir_files.part(path, "queries"))


FORMAT = Format(name="beir", read=read, write=write, recognises=_recognises, takes_qrels=True, takes_corpus=True)

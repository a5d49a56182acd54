"""BEIR folders with the additions of recallwatch: the only lossless format.

    corpus.jsonl     {"_id", "title", "text", "metadata": {…}}
    queries.jsonl    {"_id", "text", "metadata": {"stratum", "cluster", "answers", "answer_spans", …}}
    qrels/test.tsv   query-id <tab> corpus-id <tab> score

`answer_spans` has one item for each item of `answers`: `{"doc_id", "start", "end"}`, or null.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.strict_yaml import TextLoader, read_yaml
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
    whole_number,
)
from monitor.suites.formats.json_values import Value, read_rows
from monitor.suites.formats.placement import write_lines, write_rows
from monitor.suites.lines import label, read_lines, read_text
from monitor.suites.reading import has_corpus, suite_name

HEADER = "query-id\tcorpus-id\tscore"


def read(sources: Sources) -> Collection:
    """Read the collection in a folder."""
    folder = sources.source
    if not folder.is_dir():
        raise SuiteError(str(folder), "no such folder; BEIR is a folder with queries.jsonl and qrels/test.tsv")
    builder = CollectionBuilder(folder)
    if sources.corpus or has_corpus(folder):
        add_corpus(builder, sources.corpus or folder / "corpus.jsonl")
    for row in read_rows(folder / "queries.jsonl"):
        with row.placing():
            builder.add_topic(_topic(row))
    passages = _rows(folder / "passages.jsonl")
    qrels = sources.qrels or _only_qrels(folder)
    if os.path.lexists(qrels) or not passages:
        for where, qrel in _qrels(qrels):
            builder.judge(qrel, where)
    return builder.finish(head=_head(folder), pairs=_rows(folder / "pairs.jsonl"), passages=passages)


def add_corpus(builder: CollectionBuilder, path: Path) -> None:
    """Add all documents of a corpus.jsonl."""
    for row in read_rows(path):
        title, metadata = row["title"], row["metadata"]
        document = Document(
            row["_id"].text(),
            row["text"].text(may_be_empty=True),
            "" if title.is_missing() else title.text(may_be_empty=True),
            {} if metadata.is_missing() else metadata.object(),
        )
        with row.placing():
            builder.add_document(document)


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
    metadata = row["metadata"]
    if metadata.is_missing():
        return Topic(query_id=row["_id"].text(), text=row["text"].text())
    other = dict(metadata.object())
    answers = answers_of(metadata["answers"], metadata["answer_spans"])
    stratum, cluster = label(other, "stratum", ""), label(other, "cluster", "")
    for key in ("stratum", "cluster", "answers", "answer_spans"):
        other.pop(key, None)
    return Topic(
        query_id=row["_id"].text(),
        text=row["text"].text(),
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


def _only_qrels(folder: Path) -> Path:
    """qrels/test.tsv. Raises SuiteError if there are only other splits."""
    expected = folder / "qrels" / "test.tsv"
    others = sorted(path.name for path in (folder / "qrels").glob("*.tsv"))
    if others and not os.path.lexists(expected):
        raise SuiteError(str(expected), f"no such file; found {', '.join(others)}: choose one with --qrels")
    return expected


def _qrels(path: Path) -> Iterable[tuple[str, Qrel]]:
    for index, (where, line) in enumerate(read_text(path)):
        fields = line.split("\t")
        if index == 0 and fields[0] == "query-id":
            continue
        if len(fields) != 3:
            problem = f"must have 3 tab-separated columns (query-id, corpus-id, score), not {len(fields)}"
            raise SuiteError(where, problem)
        yield where, Qrel(fields[0], fields[1], whole_number(fields[2].strip(), where))


def _head(folder: Path) -> dict[str, Any]:
    path = folder / "suite.yaml"
    head = read_yaml(path, SuiteError, TextLoader) if os.path.lexists(path) else {}
    return {"name": suite_name(folder)} | head  # the default name is that of the folder


def _recognises(path: Path) -> bool:
    return (path / "queries.jsonl").is_file()


FORMAT = Format(name="beir", read=read, write=write, recognises=_recognises, takes_qrels=True, takes_corpus=True)

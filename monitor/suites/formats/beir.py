"""BEIR folders, with what recallwatch adds to them: the one format that holds everything.

    corpus.jsonl     {"_id", "title", "text", "metadata": {…}}
    queries.jsonl    {"_id", "text", "metadata": {"stratum", "cluster", "answers", "answer_spans", …}}
    qrels/test.tsv   query-id <tab> corpus-id <tab> score

`answer_spans` stands beside `answers`: for each answer `{"doc_id", "start", "end"}`, or null.
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
    Destination,
    Document,
    Format,
    Gathering,
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
    """The collection in a folder."""
    folder = sources.source
    if not folder.is_dir():
        raise SuiteError(str(folder), "no such folder; BEIR is a folder with queries.jsonl and qrels/test.tsv")
    gathering = Gathering(folder)
    if sources.corpus or has_corpus(folder):
        add_corpus(gathering, sources.corpus or folder / "corpus.jsonl")
    for row in read_rows(folder / "queries.jsonl"):
        with row.placing():
            gathering.add_topic(_topic(row))
    passages = _rows(folder / "passages.jsonl")
    qrels = sources.qrels or _only_qrels(folder)
    if os.path.lexists(qrels) or not passages:
        for where, qrel in _qrels(qrels):
            gathering.judge(qrel, where)
    return gathering.finish(head=_head(folder), pairs=_rows(folder / "pairs.jsonl"), passages=passages)


def add_corpus(gathering: Gathering, path: Path) -> None:
    """Take every document of a corpus.jsonl."""
    for row in read_rows(path):
        title, metadata = row["title"], row["metadata"]
        document = Document(
            row["_id"].text(),
            row["text"].text(may_be_empty=True),
            "" if title.is_missing() else title.text(may_be_empty=True),
            {} if metadata.is_missing() else metadata.object(),
        )
        with row.placing():
            gathering.add_document(document)


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write the folder. It holds everything."""
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
    """Answers with their spans beside them."""
    if answers.is_missing():
        return ()
    texts = [each.text() for each in answers.items()]
    if spans.is_missing():
        return tuple(map(Answer, texts))
    places = [None if each.is_missing() else span_of(each) for each in spans.items()]
    if len(places) != len(texts):
        raise spans.refusal(f"must name as many spans as there are answers: {len(texts)}, not {len(places)}")
    return tuple(map(Answer, texts, places))


def span_of(value: Value) -> Span:
    """A span as JSON states it."""
    return Span(value["doc_id"].text(), value["start"].whole_number(), value["end"].whole_number())


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that may be missing; they are checked once they are written, as those of a suite."""
    return [row for _, row in read_lines(path)] if os.path.lexists(path) else []


def _topic(row: Value) -> Topic:
    metadata = row["metadata"]
    if metadata.is_missing():
        return Topic(row["_id"].text(), row["text"].text())
    stated = dict(metadata.object())
    answers = answers_of(metadata["answers"], metadata["answer_spans"])
    stratum, cluster = label(stated, "stratum", ""), label(stated, "cluster", "")
    for key in ("stratum", "cluster", "answers", "answer_spans"):
        stated.pop(key, None)
    return Topic(row["_id"].text(), row["text"].text(), stratum, cluster, answers, stated)


def _topic_row(topic: Topic) -> dict[str, Any]:
    spans = [answer.span._asdict() if answer.span else None for answer in topic.answers]
    stated = {
        "stratum": topic.stratum,
        "cluster": topic.cluster,
        "answers": [answer.text for answer in topic.answers],
        "answer_spans": spans if any(spans) else [],
    }
    metadata = {key: value for key, value in stated.items() if value} | dict(topic.metadata)
    return {"_id": topic.query_id, "text": topic.text} | ({"metadata": metadata} if metadata else {})


def _document_row(document: Document) -> dict[str, Any]:
    row = {"_id": document.doc_id, "title": document.title, "text": document.text}
    return row | ({"metadata": document.metadata} if document.metadata else {})


def _only_qrels(folder: Path) -> Path:
    """qrels/test.tsv, or what to do where there are only others."""
    expected = folder / "qrels" / "test.tsv"
    others = sorted(path.name for path in (folder / "qrels").glob("*.tsv"))
    if others and not os.path.lexists(expected):
        raise SuiteError(str(expected), f"no such file; there is {', '.join(others)}: say which with --qrels")
    return expected


def _qrels(path: Path) -> Iterable[tuple[str, Qrel]]:
    for index, (where, line) in enumerate(read_text(path)):
        fields = line.split("\t")
        if index == 0 and fields[0] == "query-id":
            continue
        if len(fields) != 3:
            problem = f"must have 3 columns with tabs between (query-id, corpus-id, score), not {len(fields)}"
            raise SuiteError(where, problem)
        yield where, Qrel(fields[0], fields[1], whole_number(fields[2].strip(), where))


def _head(folder: Path) -> dict[str, Any]:
    path = folder / "suite.yaml"
    stated = read_yaml(path, SuiteError, TextLoader) if os.path.lexists(path) else {}
    return {"name": suite_name(folder)} | stated  # as long as no name is stated, the folder's own counts


def _recognises(path: Path) -> bool:
    return (path / "queries.jsonl").is_file()


FORMAT = Format("beir", read, write, _recognises, takes_qrels=True, takes_corpus=True)

"""Cases in JSON Lines, a simple format to write by hand.

    {"query": "When is parking free?", "relevant": ["parking-3"]}

Optional keys: `id` (default: a hash of the text), `stratum`, `cluster`, `metadata`, and
`answers`, each a text or `{"text", "doc_id", "start", "end"}`. `relevant` may be an object of document ids
and grades.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.model.suites import Qrel
from monitor.suites.formats import beir, corpora
from monitor.suites.formats.collection import (
    Answer,
    Collection,
    CollectionBuilder,
    Destination,
    Format,
    Sources,
    Topic,
    hashed_id,
    left_out,
)
from monitor.suites.formats.json_values import Value, opening, read_rows
from monitor.suites.formats.placement import write_rows
from monitor.suites.lines import label

_KEYS = {"id", "query", "relevant", "answers", "stratum", "cluster", "metadata"}


def read(sources: Sources) -> Collection:
    """Read a file of cases."""
    builder = CollectionBuilder(sources.source, ignore_unknown=sources.ignore_unknown)
    if sources.corpus:
        corpora.add_corpus(builder, sources.corpus)
    for row in read_rows(sources.source):
        with row.placing():
            topic = _topic(row)
            builder.add_topic(topic)
            for doc_id, grade in _grades(row["relevant"]):
                builder.judge(Qrel(topic.query_id, doc_id, grade))
    return builder.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write a file of cases."""
    judgements = collection.qrels_by_query()
    write_rows(destination.path, (_row(topic, judgements[topic.query_id]) for topic in collection.topics))
    return left_out(collection, "documents", "pairs", "passages")


def _topic(row: Value) -> Topic:
    for key, value in row.members():
        if key not in _KEYS:
            raise value.refusal(f"is an unknown key; known keys: {', '.join(sorted(_KEYS))}")
    text = row["query"].text()
    query_id = hashed_id("q-", text) if row["id"].is_missing() else row["id"].text()
    answers = () if row["answers"].is_missing() else tuple(map(_answer, row["answers"].items()))
    metadata = {} if row["metadata"].is_missing() else row["metadata"].object()
    stratum, cluster = label(row.object(), "stratum", ""), label(row.object(), "cluster", "")
    return Topic(query_id=query_id, text=text, stratum=stratum, cluster=cluster, answers=answers, metadata=metadata)


def _answer(value: Value) -> Answer:
    if isinstance(value.value, dict):
        return Answer(value["text"].text(), beir.span_of(value))
    return Answer(value.text())


def _grades(relevant: Value) -> Iterator[tuple[str, int]]:
    if isinstance(relevant.value, dict):
        yield from ((doc_id, grade.whole_number()) for doc_id, grade in relevant.members())
    else:
        yield from ((doc_id.text(), 1) for doc_id in relevant.items())


def _row(topic: Topic, qrels: list[Qrel]) -> dict[str, Any]:
    grades = {qrel.doc_id: qrel.grade for qrel in qrels}
    optional = {
        "stratum": topic.stratum,
        "cluster": topic.cluster,
        "answers": [{"text": text, **span._asdict()} if span else text for text, span in topic.answers],
        "metadata": topic.metadata,
    }
    is_plain = all(grade == 1 for grade in grades.values())
    row = {"id": topic.query_id, "query": topic.text, "relevant": list(grades) if is_plain else grades}
    return row | {key: value for key, value in optional.items() if value}


def _recognises(path: Path) -> bool:
    first = opening(path).partition("\n")[0]
    return first.startswith("{") and '"query"' in first and '"relevant"' in first


FORMAT = Format(name="jsonl", read=read, write=write, recognises=_recognises, takes_corpus=True)

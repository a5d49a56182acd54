"""Cases in JSON Lines, the shape that people write by hand.

    {"query": "When is parking free?", "relevant": ["parking-3"]}

More keys where they are wanted: `id` (else one that follows from the text), `stratum`, `cluster`, `metadata`, and
`answers`, each a text or `{"text", "doc_id", "start", "end"}`. `relevant` may be an object of document ids
and grades.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.model.suites import Qrel
from monitor.suites.formats import beir
from monitor.suites.formats.collection import (
    Answer,
    Collection,
    Destination,
    Format,
    Gathering,
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
    """The collection in a file of cases."""
    gathering = Gathering(sources.source)
    if sources.corpus:
        beir.add_corpus(gathering, sources.corpus)
    for row in read_rows(sources.source):
        with row.placing():
            topic = _topic(row)
            gathering.add_topic(topic)
            for doc_id, grade in _grades(row["relevant"]):
                gathering.judge(Qrel(topic.query_id, doc_id, grade))
    return gathering.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write a file of cases."""
    judged = collection.qrels_by_query()
    write_rows(destination.path, (_row(topic, judged[topic.query_id]) for topic in collection.topics))
    return left_out(collection, "documents", "pairs", "passages")


def _topic(row: Value) -> Topic:
    for key, value in row.members():
        if key not in _KEYS:
            raise value.refusal(f"is not a key of a case; known are {', '.join(sorted(_KEYS))}")
    text = row["query"].text()
    query_id = hashed_id("q-", text) if row["id"].is_missing() else row["id"].text()
    answers = () if row["answers"].is_missing() else tuple(map(_answer, row["answers"].items()))
    metadata = {} if row["metadata"].is_missing() else row["metadata"].object()
    stratum, cluster = label(row.object(), "stratum", ""), label(row.object(), "cluster", "")
    return Topic(query_id, text, stratum, cluster, answers, metadata)


def _answer(value: Value) -> Answer:
    if isinstance(value.value, dict):
        return Answer(value["text"].text(), beir.span_of(value))
    return Answer(value.text())


def _grades(relevant: Value) -> Iterator[tuple[str, int]]:
    if isinstance(relevant.value, dict):
        yield from ((doc_id, grade.whole_number()) for doc_id, grade in relevant.members())
    else:
        yield from ((each.text(), 1) for each in relevant.items())


def _row(topic: Topic, qrels: list[Qrel]) -> dict[str, Any]:
    grades = {qrel.doc_id: qrel.grade for qrel in qrels}
    stated = {
        "stratum": topic.stratum,
        "cluster": topic.cluster,
        "answers": [{"text": text, **span._asdict()} if span else text for text, span in topic.answers],
        "metadata": topic.metadata,
    }
    is_plain = all(grade == 1 for grade in grades.values())
    row = {"id": topic.query_id, "query": topic.text, "relevant": list(grades) if is_plain else grades}
    return row | {key: value for key, value in stated.items() if value}


def _recognises(path: Path) -> bool:
    first = opening(path).partition("\n")[0]
    return first.startswith("{") and '"query"' in first and '"relevant"' in first


FORMAT = Format("jsonl", read, write, _recognises, takes_corpus=True)

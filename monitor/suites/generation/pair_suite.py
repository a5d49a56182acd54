"""Write minimal pairs as a suite: a small corpus of sentences to seed, with queries, judgements and pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monitor.model.suites import Qrel
from monitor.suites.formats import beir
from monitor.suites.formats.collection import Collection, Destination, Document, Topic, hashed_id
from monitor.suites.generation import review
from monitor.suites.generation.minimal_pairs import KIND, MinimalPair
from monitor.suites.generation.question_from_sentence import Question


class Side(NamedTuple):
    """One of the two queries of a pair, with the document that satisfies it and the one that violates it."""

    query_id: str
    question: Question
    satisfying_id: str
    violating_id: str
    mirror_id: str
    is_mirror: bool


def write(folder: Path, pairs: Sequence[MinimalPair], head: Mapping[str, Any]) -> None:
    """Write the suite."""
    sides = [(pair, side) for pair in pairs for side in sides_of(pair)]
    collection = Collection(
        topics=tuple(_topic(pair, side) for pair, side in sides),
        qrels=tuple(qrel for _, side in sides for qrel in _qrels(side)),
        documents=tuple(document for pair in pairs for document in _documents(pair)),
        pairs=tuple(_pair(pair, side) for pair, side in sides),
        head=head,
    )
    beir.write(collection, Destination(folder))
    review.write(folder, (_line(pair, side) for pair, side in sides))


def sides_of(pair: MinimalPair) -> Iterator[Side]:
    """The question that the sentence answers, and the one that the rewrite answers."""
    stem = hashed_id(f"{pair.phenomenon}-", f"{pair.doc_id}\x1f{pair.start}\x1f{pair.rewrite.text}")
    original, rewrite, query, mirror = (f"{stem}{end}" for end in ("-a", "-b", "-qa", "-qb"))
    yield Side(query, pair.question, original, rewrite, mirror, is_mirror=False)
    yield Side(mirror, pair.mirror, rewrite, original, query, is_mirror=True)


def _topic(pair: MinimalPair, side: Side) -> Topic:
    provenance = {
        "kind": KIND,
        "doc_id": pair.doc_id,
        "field": "text",
        "start": pair.start,
        "end": pair.end,
        "rule": side.question.rule,
        "rewrite": pair.rewrite.rule,
        "asks_for": "the rewrite" if side.is_mirror else "the sentence",
    }
    metadata = {"provenance": provenance}
    return Topic(
        query_id=side.query_id, text=side.question.text, stratum=pair.phenomenon, cluster=pair.doc_id, metadata=metadata
    )


def _qrels(side: Side) -> Iterator[Qrel]:
    yield Qrel(side.query_id, side.satisfying_id, 1)
    yield Qrel(side.query_id, side.violating_id, 0)


def _documents(pair: MinimalPair) -> Iterator[Document]:
    first, _ = sides_of(pair)
    source = {"doc_id": pair.doc_id, "start": pair.start, "end": pair.end}
    yield Document(first.satisfying_id, pair.sentence, pair.title, {"source": source})
    yield Document(first.violating_id, pair.rewrite.text, pair.title, {"rewritten": source})


def _pair(pair: MinimalPair, side: Side) -> dict[str, Any]:
    ids = {"query_id": side.query_id, "satisfying_id": side.satisfying_id, "violating_id": side.violating_id}
    return {**ids, "phenomenon": pair.phenomenon, "cluster": pair.doc_id, "mirror": side.mirror_id}


def _line(pair: MinimalPair, side: Side) -> review.Line:
    texts = (pair.rewrite.text, pair.sentence) if side.is_mirror else (pair.sentence, pair.rewrite.text)
    return review.Line(side.query_id, pair.phenomenon, side.question.text, *texts)

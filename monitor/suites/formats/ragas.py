"""Ragas samples, in JSON Lines or as one JSON list.

    {"user_input": "…", "reference_contexts": ["…"], "retrieved_contexts": ["…"], "reference": "…"}

Contexts have no ids: each text becomes one document, whose id is a hash of the text. Reference contexts are relevant;
other retrieved contexts are documents without a judgement. Other keys are preserved. Conversations of several turns
are skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.suites.formats.collection import (
    Answer,
    Collection,
    CollectionBuilder,
    Destination,
    Document,
    Format,
    Sources,
    Topic,
    hashed_id,
    left_out,
)
from monitor.suites.formats.json_values import Value, opening, read_rows
from monitor.suites.formats.placement import write_rows

_KEYS = ("user_input", "reference_contexts", "retrieved_contexts", "reference")


def read(sources: Sources) -> Collection:
    """Read a file of samples."""
    builder = CollectionBuilder(sources.source)
    n_by_text: Counter[str] = Counter()
    for sample in read_rows(sources.source):
        if isinstance(sample["user_input"].value, list):
            builder.skip("several turns")
        else:
            with sample.placing():
                _read_sample(sample, builder, n_by_text)
    return builder.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write samples in JSON Lines."""
    if collection.documents is None:
        raise SuiteError(str(destination.path), "Ragas requires documents, and the suite has no corpus.jsonl")
    texts = {document.doc_id: document.text for document in collection.documents}
    judgements = collection.qrels_by_query()
    write_rows(destination.path, (_sample(topic, judgements[topic.query_id], texts) for topic in collection.topics))
    return _left_out(collection)


def _read_sample(sample: Value, builder: CollectionBuilder, n_by_text: Counter[str]) -> None:
    text = sample["user_input"].text()
    n_by_text[text] += 1
    query_id = hashed_id("q-", text) + (f"-{n_by_text[text]}" if n_by_text[text] > 1 else "")
    relevant = _contexts(sample["reference_contexts"], builder)
    retrieved = _contexts(sample["retrieved_contexts"], builder)
    rest = {key: value for key, value in sample.object().items() if key not in _KEYS and value is not None}
    metadata = {key: value for key, value in {"retrieved_doc_ids": retrieved, "ragas": rest}.items() if value}
    answers = () if sample["reference"].value in (None, "") else (Answer(sample["reference"].text()),)
    builder.add_topic(Topic(query_id=query_id, text=text, answers=answers, metadata=metadata))
    for doc_id in dict.fromkeys(relevant):
        builder.judge(Qrel(query_id, doc_id, 1))


def _contexts(contexts: Value, builder: CollectionBuilder) -> list[str]:
    """Add contexts as documents and return their ids."""
    texts = [] if contexts.is_missing() else [context.text(may_be_empty=True) for context in contexts.items()]
    ids = [hashed_id("d-", text) for text in texts]
    for doc_id, text in zip(ids, texts, strict=True):
        if not builder.has_document(doc_id):
            builder.add_document(Document(doc_id, text))
    return ids


def _sample(topic: Topic, qrels: list[Qrel], texts: Mapping[str, str]) -> dict[str, Any]:
    retrieved = [texts[doc_id] for doc_id in _retrieved(topic) if doc_id in texts]
    optional = {
        "retrieved_contexts": retrieved,
        "reference_contexts": [texts[qrel.doc_id] for qrel in qrels if qrel.grade > 0],
        "reference": topic.answers[0].text if topic.answers else "",
    }
    rest = topic.metadata.get("ragas")
    sample = {"user_input": topic.text} | {key: value for key, value in optional.items() if value}
    return (rest if isinstance(rest, dict) else {}) | sample


def _retrieved(topic: Topic) -> Iterator[str]:
    doc_ids = topic.metadata.get("retrieved_doc_ids")
    yield from (doc_id for doc_id in doc_ids if isinstance(doc_id, str)) if isinstance(doc_ids, list) else ()


def _left_out(collection: Collection) -> Mapping[str, int]:
    lost = Counter(left_out(collection, "titles", "answer spans", "strata", "clusters", "pairs", "passages"))
    written_ids = {qrel.doc_id for qrel in collection.qrels if qrel.grade > 0}
    written_ids |= {doc_id for topic in collection.topics for doc_id in _retrieved(topic)}
    lost["documents"] = sum(document.doc_id not in written_ids for document in collection.documents or ())
    lost["judgements"] = sum(qrel.grade == 0 for qrel in collection.qrels)
    lost["grades above 1"] = sum(qrel.grade > 1 for qrel in collection.qrels)
    lost["answers"] = sum(max(0, len(topic.answers) - 1) for topic in collection.topics)
    return +lost


def _recognises(path: Path) -> bool:
    start = opening(path)
    return start.startswith(("{", "[")) and '"user_input"' in start


FORMAT = Format(name="ragas", read=read, write=write, recognises=_recognises)

"""Ragas samples, in JSON Lines or as one JSON list.

    {"user_input": "…", "reference_contexts": ["…"], "retrieved_contexts": ["…"], "reference": "…"}

Contexts have no ids: each text becomes one document, called by its hash. Reference contexts are relevant; what was
merely retrieved is a document without a judgement. Other keys are kept and written again. Talks of several turns
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
    Destination,
    Document,
    Format,
    Gathering,
    Sources,
    Topic,
    hashed_id,
    left_out,
)
from monitor.suites.formats.json_values import Value, opening, read_rows
from monitor.suites.formats.placement import write_rows

_HELD = ("user_input", "reference_contexts", "retrieved_contexts", "reference")


def read(sources: Sources) -> Collection:
    """The collection in a file of samples."""
    gathering = Gathering(sources.source)
    asked: Counter[str] = Counter()
    for sample in read_rows(sources.source):
        if isinstance(sample["user_input"].value, list):
            gathering.skip("several turns")
        else:
            with sample.placing():
                _read_sample(sample, gathering, asked)
    return gathering.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write samples in JSON Lines."""
    if collection.documents is None:
        raise SuiteError(str(destination.path), "Ragas holds documents, and the suite has no corpus.jsonl")
    texts = {document.doc_id: document.text for document in collection.documents}
    judged = collection.qrels_by_query()
    write_rows(destination.path, (_sample(topic, judged[topic.query_id], texts) for topic in collection.topics))
    return _left_out(collection)


def _read_sample(sample: Value, gathering: Gathering, asked: Counter[str]) -> None:
    text = sample["user_input"].text()
    asked[text] += 1
    query_id = hashed_id("q-", text) + (f"-{asked[text]}" if asked[text] > 1 else "")
    relevant = _contexts(sample["reference_contexts"], gathering)
    retrieved = _contexts(sample["retrieved_contexts"], gathering)
    rest = {key: value for key, value in sample.object().items() if key not in _HELD and value is not None}
    metadata = {"retrieved_doc_ids": retrieved, "ragas": rest}
    stated = {key: value for key, value in metadata.items() if value}
    answers = () if sample["reference"].value in (None, "") else (Answer(sample["reference"].text()),)
    gathering.add_topic(Topic(query_id, text, answers=answers, metadata=stated))
    for doc_id in dict.fromkeys(relevant):
        gathering.judge(Qrel(query_id, doc_id, 1))


def _contexts(contexts: Value, gathering: Gathering) -> list[str]:
    """The ids of the contexts, which are documents from now on."""
    found = [] if contexts.is_missing() else [each.text(may_be_empty=True) for each in contexts.items()]
    ids = [hashed_id("d-", text) for text in found]
    for doc_id, text in zip(ids, found, strict=True):
        if not gathering.has_document(doc_id):
            gathering.add_document(Document(doc_id, text))
    return ids


def _sample(topic: Topic, qrels: list[Qrel], texts: Mapping[str, str]) -> dict[str, Any]:
    retrieved = [texts[doc_id] for doc_id in _retrieved(topic) if doc_id in texts]
    stated = {
        "retrieved_contexts": retrieved,
        "reference_contexts": [texts[qrel.doc_id] for qrel in qrels if qrel.grade > 0],
        "reference": topic.answers[0].text if topic.answers else "",
    }
    rest = topic.metadata.get("ragas")
    held = {"user_input": topic.text} | {key: value for key, value in stated.items() if value}
    return (rest if isinstance(rest, dict) else {}) | held


def _retrieved(topic: Topic) -> Iterator[str]:
    stated = topic.metadata.get("retrieved_doc_ids")
    yield from (each for each in stated if isinstance(each, str)) if isinstance(stated, list) else ()


def _left_out(collection: Collection) -> Mapping[str, int]:
    lost = Counter(left_out(collection, "titles", "answer spans", "strata", "clusters", "pairs", "passages"))
    held = {qrel.doc_id for qrel in collection.qrels if qrel.grade > 0}
    held |= {doc_id for topic in collection.topics for doc_id in _retrieved(topic)}
    lost["documents"] = sum(document.doc_id not in held for document in collection.documents or ())
    lost["judgements"] = sum(qrel.grade == 0 for qrel in collection.qrels)
    lost["grades above 1"] = sum(qrel.grade > 1 for qrel in collection.qrels)
    lost["answers"] = sum(max(0, len(topic.answers) - 1) for topic in collection.topics)
    return +lost


def _recognises(path: Path) -> bool:
    start = opening(path)
    return start.startswith(("{", "[")) and '"user_input"' in start


FORMAT = Format("ragas", read, write, _recognises)

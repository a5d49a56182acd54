"""Request bodies of Elasticsearch's (and OpenSearch's) `_rank_eval`.

    {"requests": [{"id": "q1", "request": {"query": {"match": {"text": "parking on sundays"}}},
                   "ratings": [{"_index": "docs", "_id": "parking-3", "rating": 1}]}]}

The query text is the text of the request's query, or the only text among the `params` of a template. A request without
text is skipped and counted; one with several texts is refused. Requests are preserved for export.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.model.suites import Qrel
from monitor.suites.formats import corpora
from monitor.suites.formats.collection import (
    Collection,
    CollectionBuilder,
    Destination,
    Format,
    Sources,
    Topic,
    left_out,
)
from monitor.suites.formats.json_values import Value, opening, read_json
from monitor.suites.formats.placement import write_json

_BY_FIELD = {"match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "semantic"}
"""Clauses with the field as key: {"match": {"title": "text"}} or {"match": {"title": {"query": "text"}}}."""
_BY_QUERY = {"multi_match", "query_string", "simple_query_string", "combined_fields", "semantic", "neural"}
"""Clauses with the text under `query`."""
_TEXT_KEYS = ("query", "query_text", "model_text")
_METRIC = {"dcg": {"k": 10, "normalize": True}}


def read(sources: Sources) -> Collection:
    """Read a request body."""
    builder = CollectionBuilder(sources.source, ignore_unknown=sources.ignore_unknown)
    if sources.corpus:
        corpora.add_corpus(builder, sources.corpus)
    for request in read_json(sources.source)["requests"].items():
        texts = _texts_of_request(request)
        if not texts:
            builder.skip("request without a text")
        elif len(texts) > 1:
            raise request.refusal(f"has several texts: {', '.join(map(repr, sorted(texts)))}")
        else:
            with request.placing():
                _read_request(request, texts.pop(), builder)
    return builder.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write a request body with the metric nDCG@10."""
    judgements = collection.qrels_by_query()
    requests = [_request(topic, judgements[topic.query_id], destination.index) for topic in collection.topics]
    write_json(destination.path, {"requests": requests, "metric": _METRIC})
    return left_out(collection, "documents", "answers", "strata", "clusters", "pairs", "passages")


def _texts_of_request(request: Value) -> set[str]:
    try:
        return set(_texts(request["request"].value)) | set(_parameters(request["params"].value))
    except RecursionError:
        raise request.refusal("is nested too deeply") from None


def _read_request(request: Value, text: str, builder: CollectionBuilder) -> None:
    query_id = request["id"].text()
    ratings = request["ratings"].items()
    indices = {rating["_id"].text(): rating["_index"].value for rating in ratings}
    is_plain = request["request"].value == _plain_request(text)
    optional = {"request": None if is_plain else request["request"].value, "indices": indices}
    original = {key: value for key, value in optional.items() if value}
    metadata = {"rank_eval": original} if original else {}
    builder.add_topic(Topic(query_id=query_id, text=text, metadata=metadata))
    for rating in ratings:
        builder.judge(Qrel(query_id, rating["_id"].text(), rating["rating"].whole_number()))


def _texts(clause: Any) -> Iterator[str]:
    """The texts of a query, at any depth of its clauses."""
    if isinstance(clause, list):
        for item in clause:
            yield from _texts(item)
    elif isinstance(clause, dict):
        for key, value in clause.items():
            yield from _texts_of(key, value)


def _texts_of(key: str, value: Any) -> Iterator[str]:
    if key in _BY_FIELD | _BY_QUERY and isinstance(value, dict):
        clauses = [value] if key in _BY_QUERY else []
        if key in _BY_FIELD:
            clauses += [item if isinstance(item, dict) else {"query": item} for item in value.values()]
        yield from (clause[name] for clause in clauses for name in _TEXT_KEYS if isinstance(clause.get(name), str))
    else:
        yield from _texts(value)


def _parameters(value: Any) -> Iterator[str]:
    yield from (text for text in value.values() if isinstance(text, str)) if isinstance(value, dict) else ()


def _plain_request(text: str) -> dict[str, Any]:
    """A query over all fields of an index."""
    return {"query": {"multi_match": {"query": text}}}


def _request(topic: Topic, qrels: list[Qrel], index: str) -> dict[str, Any]:
    original = topic.metadata.get("rank_eval")
    original = original if isinstance(original, dict) else {}
    indices = original.get("indices") or {}
    request = original.get("request")
    if set(_texts(request)) != {topic.text}:  # no original request, or the query text was changed
        request = _plain_request(topic.text)
    ratings = [
        {"_index": indices.get(qrel.doc_id) or index, "_id": qrel.doc_id, "rating": qrel.grade} for qrel in qrels
    ]
    return {"id": topic.query_id, "request": request, "ratings": ratings}


def _recognises(path: Path) -> bool:
    start = opening(path)
    return start.startswith("{") and '"requests"' in start and '"ratings"' in start


FORMAT = Format(name="elasticsearch", read=read, write=write, recognises=_recognises, takes_corpus=True)

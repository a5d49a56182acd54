"""Request bodies of Elasticsearch's (and OpenSearch's) `_rank_eval`.

    {"requests": [{"id": "q1", "request": {"query": {"match": {"text": "parking on sundays"}}},
                   "ratings": [{"_index": "docs", "_id": "parking-3", "rating": 1}]}]}

What is asked is the text of the request's query, or the one text among the `params` of a template. A request without
such a text is skipped and counted; one with several texts is refused. The request is kept and written again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.model.suites import Qrel
from monitor.suites.formats import beir
from monitor.suites.formats.collection import Collection, Destination, Format, Gathering, Sources, Topic, left_out
from monitor.suites.formats.json_values import Value, opening, read_json
from monitor.suites.formats.placement import write_json

_BY_FIELD = {"match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "semantic"}
"""Clauses that name the field first: {"match": {"title": "text"}} or {"match": {"title": {"query": "text"}}}."""
_BY_QUERY = {"multi_match", "query_string", "simple_query_string", "combined_fields", "semantic", "neural"}
"""Clauses with the text under `query`."""
_TEXT_KEYS = ("query", "query_text", "model_text")
_METRIC = {"dcg": {"k": 10, "normalize": True}}


def read(sources: Sources) -> Collection:
    """The collection in a request body."""
    gathering = Gathering(sources.source)
    if sources.corpus:
        beir.add_corpus(gathering, sources.corpus)
    for request in read_json(sources.source)["requests"].items():
        texts = _texts_of_request(request)
        if not texts:
            gathering.skip("request without a text")
        elif len(texts) > 1:
            raise request.refusal(f"asks for several texts: {', '.join(map(repr, sorted(texts)))}")
        else:
            with request.placing():
                _read_request(request, texts.pop(), gathering)
    return gathering.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write a request body that measures nDCG@10."""
    judged = collection.qrels_by_query()
    requests = [_request(topic, judged[topic.query_id], destination.index) for topic in collection.topics]
    write_json(destination.path, {"requests": requests, "metric": _METRIC})
    return left_out(collection, "documents", "answers", "strata", "clusters", "pairs", "passages")


def _texts_of_request(request: Value) -> set[str]:
    try:
        return set(_texts(request["request"].value)) | set(_parameters(request["params"].value))
    except RecursionError:
        raise request.refusal("is nested too deeply") from None


def _read_request(request: Value, text: str, gathering: Gathering) -> None:
    query_id = request["id"].text()
    ratings = request["ratings"].items()
    indices = {rating["_id"].text(): rating["_index"].value for rating in ratings}
    is_plain = request["request"].value == _plain_request(text)
    stated = {"request": None if is_plain else request["request"].value, "indices": indices}
    kept = {key: value for key, value in stated.items() if value}
    metadata = {"rank_eval": kept} if kept else {}
    gathering.add_topic(Topic(query_id, text, metadata=metadata))
    for rating in ratings:
        gathering.judge(Qrel(query_id, rating["_id"].text(), rating["rating"].whole_number()))


def _texts(clause: Any) -> Iterator[str]:
    """The texts that a query asks for, however deep its clauses are nested."""
    if isinstance(clause, list):
        for each in clause:
            yield from _texts(each)
    elif isinstance(clause, dict):
        for key, value in clause.items():
            yield from _texts_of(key, value)


def _texts_of(key: str, value: Any) -> Iterator[str]:
    if key in _BY_FIELD | _BY_QUERY and isinstance(value, dict):
        stated = [value] if key in _BY_QUERY else []
        if key in _BY_FIELD:
            stated += [each if isinstance(each, dict) else {"query": each} for each in value.values()]
        yield from (each[name] for each in stated for name in _TEXT_KEYS if isinstance(each.get(name), str))
    else:
        yield from _texts(value)


def _parameters(value: Any) -> Iterator[str]:
    yield from (each for each in value.values() if isinstance(each, str)) if isinstance(value, dict) else ()


def _plain_request(text: str) -> dict[str, Any]:
    """What asks every field of an index."""
    return {"query": {"multi_match": {"query": text}}}


def _request(topic: Topic, qrels: list[Qrel], index: str) -> dict[str, Any]:
    kept = topic.metadata.get("rank_eval")
    kept = kept if isinstance(kept, dict) else {}
    indices = kept.get("indices") or {}
    request = kept.get("request")
    if set(_texts(request)) != {topic.text}:  # none was kept, or the query was changed since
        request = _plain_request(topic.text)
    ratings = [
        {"_index": indices.get(qrel.doc_id) or index, "_id": qrel.doc_id, "rating": qrel.grade} for qrel in qrels
    ]
    return {"id": topic.query_id, "request": request, "ratings": ratings}


def _recognises(path: Path) -> bool:
    start = opening(path)
    return start.startswith("{") and '"requests"' in start and '"ratings"' in start


FORMAT = Format("elasticsearch", read, write, _recognises, takes_corpus=True)

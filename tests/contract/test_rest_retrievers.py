"""Contract of retrievers of REST search services, against fakes that check each request by its published schema."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from monitor.adapters import registry
from monitor.errors import ConfigError, Reason, RetrieverError
from monitor.model.passages import Sources
from monitor.model.runs import Ranking
from monitor.ports.targets import ExactSearch, VectorAccess
from tests.contract import rest_services
from tests.contract.local_server import Answer, flood, hang_up, raw, reply, reset, silence
from tests.contract.rest_services import BY_VECTOR, BY_WORDS, RunningService, matching_chunks
from tests.contract.vector_stores import CORPUS, PLACES, SECRETS, TOKEN, embedding, nearest, vector_of

SERVICES = BY_VECTOR | BY_WORDS
ONE_OF_EACH = ("qdrant", "opensearch knn", "elasticsearch bm25", "weaviate", "weaviate rest hybrid", "pinecone")
"""One per request and response format."""
NAMED = [name for name, service in SERVICES.items() if service.collection]
QUERY = 'where is "text number 7"? 🦊 \\ où?'


def ask(
    name: str,
    act: Callable[[Any], Awaitable[Any]] | None = None,
    *,
    override: Answer | None = None,
    services: list[RunningService] | None = None,
    **options: Any,
) -> Any:
    """Run an action on the retriever of a service; every request must be valid."""

    async def run() -> Any:
        async with embedding() as embedder, rest_services.running(SERVICES[name]) as service_state:
            service_state.override = override
            embedding_options = {"embedder": embedder} if name in BY_VECTOR else {}
            section = {**service_state.options, **embedding_options, "timeout": "60s", **options}
            retriever = registry.resolve("retriever", section, where="targets.t.retriever").build()
            try:
                return await (act(retriever) if act else retriever.retrieve(QUERY, 5))
            finally:
                await retriever.close()
                assert service_state.violations == []
                if services is not None:
                    services.append(service_state)

    return asyncio.run(run())


def failure_of(name: str, **options: Any) -> RetrieverError:
    """The failure of an action; it must contain no secret."""
    with pytest.raises(RetrieverError) as caught:
        ask(name, **options)
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", BY_VECTOR)
@pytest.mark.parametrize("k", [1, len(CORPUS)])
def test_the_nearest_documents_come_best_first(name, k):
    """The k nearest documents by their configured ids, with falling scores."""
    ranking = ask(name, lambda retriever: retriever.retrieve(QUERY, k))
    assert isinstance(ranking, Ranking)
    assert list(ranking.doc_ids) == nearest(QUERY, k)
    assert ranking.scores is not None
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)


@pytest.mark.parametrize("name", BY_WORDS)
def test_documents_with_the_words_come_best_first(name):
    """The text of the query arrives unchanged, including quotes and backslashes."""
    ranking = ask(name)
    assert list(ranking.doc_ids) == [chunk.doc_id for chunk, _ in matching_chunks(QUERY, 5)]


@pytest.mark.parametrize("name", SERVICES)
def test_texts_and_sources_of_hits_are_read(name):
    """Texts and offsets of chunks match the stored ones; deployment and corpus are part of the ranking."""
    declared = {"text": "text", "deployment": "minilm-v2", "corpus": "march"}
    ranking = ask(name, lambda retriever: retriever.retrieve("naïve Grüße", 3), **PLACES, **declared)
    chunks = [next(chunk for chunk in CORPUS if chunk.doc_id == doc_id) for doc_id in ranking.doc_ids]
    assert chunks[0].text == "naïve Grüße"
    assert ranking.texts == tuple(chunk.text for chunk in chunks)
    assert ranking.sources == Sources(
        tuple(chunk.source for chunk in chunks),
        tuple(chunk.start for chunk in chunks),
        tuple(chunk.end for chunk in chunks),
    )
    assert (ranking.deployment, ranking.corpus) == ("minilm-v2", "march")


@pytest.mark.parametrize("name", SERVICES)
def test_fewer_hits_than_requested_are_a_failure_unless_accepted(name):
    """A short ranking is a failure, unless the configuration accepts it."""
    k = len(CORPUS) + 1
    with pytest.raises(RetrieverError, match="short_rankings: accept"):
        ask(name, lambda retriever: retriever.retrieve(QUERY, k))
    ranking = ask(name, lambda retriever: retriever.retrieve(QUERY, k), short_rankings="accept")
    assert len(ranking.doc_ids) == len(CORPUS)


@pytest.mark.parametrize("name", NAMED)
def test_an_unknown_collection_is_named(name):
    """A misspelt collection is rejected by name; it is not an empty ranking."""
    service = SERVICES[name]
    failure = failure_of(name, **{service.collection: service.unknown})
    assert failure.reason is Reason.REJECTED
    assert service.unknown in failure.detail


@pytest.mark.parametrize("name", SERVICES)
def test_wrong_credentials_are_unauthorised(name):
    """A wrong key is unauthorised, and the error does not contain it."""
    failure = failure_of(name, api_key="another-s3cret-token")
    assert failure.reason is Reason.UNAUTHORISED
    assert "check the credentials" in failure.detail
    assert "another" not in str(failure)


@pytest.mark.parametrize("name", BY_VECTOR)
def test_a_dimension_mismatch_names_both_dimensions(name):
    """The error for a mismatched embedder contains both dimensions."""

    async def run() -> None:
        async with embedding() as embedder, rest_services.running(SERVICES[name]) as service_state:
            embedder["request"] = {"text": "{text}", "dimension": 3}
            section = {**service_state.options, "embedder": embedder}
            retriever = registry.resolve("retriever", section, where="r").build()
            try:
                await retriever.retrieve(QUERY, 5)
            finally:
                await retriever.close()

    with pytest.raises(RetrieverError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.REJECTED
    assert "the index has vectors of 8 dimensions, the embedder returns 3" in caught.value.detail


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (silence, Reason.TIMEOUT),
        (reply(403, body=TOKEN.encode()), Reason.UNAUTHORISED),
        (reply(429, headers={"retry-after": "7"}), Reason.RATE_LIMITED),
        (reply(503), Reason.BROKEN),
        (reply(307, headers={"location": "http://169.254.169.254/"}), Reason.REJECTED),
        (reply(body=b"<html>"), Reason.MALFORMED),
        (reply(body=None), Reason.MALFORMED),
        (reply(body=[]), Reason.MALFORMED),
        (reply(body={"result": 1, "results": 1, "matches": 1, "hits": [], "data": {"Get": 1}}), Reason.MALFORMED),
        (
            reply(
                body={
                    "results": [1],
                    "matches": [None],
                    "hits": {"hits": ["x"]},
                    "result": {"points": [2]},
                    "data": {"Get": {"Chunks": [3]}},
                }
            ),
            Reason.MALFORMED,
        ),
        (flood(), Reason.MALFORMED),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"), Reason.BROKEN),
        (reset, Reason.BROKEN),
        (hang_up, Reason.BROKEN),
    ],
    ids=[
        "silence",
        "403",
        "429",
        "503",
        "redirect",
        "HTML",
        "null",
        "list",
        "no list",
        "no objects",
        "flood",
        "cut",
        "reset",
        "hung up",
    ],
)
def test_every_misbehaviour_is_one_failure_with_its_reason_and_no_secret(name, answer, reason):
    """Every misbehaviour of a service is one failure with the right reason, and its text contains no credential."""
    services: list[RunningService] = []
    timeout = "300ms" if reason is Reason.TIMEOUT else "60s"
    failure = failure_of(name, override=answer, services=services, timeout=timeout)
    assert failure.reason is reason, failure
    assert len(services[0].server.requests) == 1
    if reason is Reason.RATE_LIMITED:
        assert failure.retry_after_s == 7.0


@pytest.mark.parametrize("name", ["qdrant", "opensearch knn", "elasticsearch knn", "weaviate", "pinecone"])
def test_vectors_can_be_read(name):
    """Query vectors and stored vectors are returned; missing documents are left out."""

    async def look(retriever: Any) -> Any:
        return await retriever.embed([QUERY]), await retriever.stored_vectors(["d3", "d0", "d99"])

    embedded, stored = ask(name, look)
    assert embedded[0] == pytest.approx(vector_of(QUERY), abs=1e-6)
    assert set(stored) == {"d0", "d3"}
    assert np.asarray(stored["d3"]) == pytest.approx(CORPUS[3].vector, abs=1e-6)


@pytest.mark.parametrize("name", ["qdrant", "opensearch knn", "elasticsearch knn"])
def test_exact_search_is_requested(name):
    """An exact search asks the service to compare every document."""
    services: list[RunningService] = []

    async def look(retriever: Any) -> Any:
        assert isinstance(retriever, ExactSearch)
        return await retriever.search_exact(vector_of(QUERY), 4)

    assert list(ask(name, look, services=services).doc_ids) == nearest(QUERY, 4)
    body = services[0].server.requests[0].body.decode()
    assert '"exact":true' in body or "script_score" in body


@pytest.mark.parametrize("name", BY_WORDS)
def test_vectors_need_an_embedder(name):
    """A target that searches by words raises an error for vectors."""

    async def look(retriever: Any) -> Any:
        assert isinstance(retriever, VectorAccess)
        return await retriever.embed([QUERY])

    with pytest.raises(RetrieverError, match="has no embedder"):
        ask(name, look)


PARTIAL = {"took": 1, "timed_out": False, "_shards": {"total": 5, "successful": 3, "failed": 2}, "hits": {"hits": []}}


@pytest.mark.parametrize("change", [{}, {"timed_out": True, "_shards": {"failed": 0}}], ids=["shards", "timeout"])
def test_a_partial_response_of_the_index_is_a_failure(change):
    """A failed shard is a failure, so that its documents do not look lost."""
    failure = failure_of("opensearch bm25", override=reply(body=PARTIAL | change), short_rankings="accept")
    assert failure.reason in (Reason.BROKEN, Reason.TIMEOUT)


FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "qdrant": (
        {"filter": {"must": [{"key": "a", "match": {"value": 1}}]}, "params": {"hnsw_ef": 64}},
        '"must":[{"key":"a"',
    ),
    "opensearch knn": ({"filter": {"term": {"a": 1}}, "candidates": 64}, '"ef_search":64'),
    "opensearch bm25": ({"filter": {"term": {"a": 1}}}, '"filter":[{"term":{"a":1}}]'),
    "elasticsearch knn": ({"filter": {"term": {"a": 1}}, "candidates": 64}, '"num_candidates":64'),
    "elasticsearch hybrid": ({"filter": {"term": {"a": 1}}, "rank_window_size": 50}, '"rank_window_size":50'),
    "weaviate": (
        {"where": {"path": ["a"], "operator": "Equal", "valueInt": 1}, "tenant": "t", "target_vector": "dense"},
        r"where: {path: [\"a\"], operator: Equal, valueInt: 1}, tenant: \"t\"",
    ),
    "weaviate rest hybrid": ({"tenant": "t", "properties": ["text^2"]}, '"queryProperties":["text^2"]'),
    "pinecone": ({"filter": {"a": {"$eq": 1}}, "namespace": "n"}, '"namespace":"n"'),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_and_settings_reach_the_service(name):
    """Filters and search settings are sent in the published format."""
    options, expected = FILTERS[name]
    services: list[RunningService] = []
    ask(name, services=services, **options)
    body = services[0].server.requests[0].body.decode()
    assert expected in body.replace(": ", ":").replace(", ", ",") or expected in body


@pytest.mark.parametrize("name", SERVICES)
def test_every_probe_is_marked(name):
    """Requests carry the probe header and the configured headers."""
    services: list[RunningService] = []
    ask(name, services=services, headers={"x-tenant": "monitoring"})
    (request,) = services[0].server.requests
    assert (request.headers["x-recallwatch-probe"], request.headers["x-tenant"]) == ("1", "monitoring")
    assert json.loads(request.body)


EMBEDDER = {"kind": "http", "url": "http://e/"}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "qdrant", "url": "http://q/", "collection": "c"}, "r.embedder: is missing"),
        ({"kind": "qdrant", "url": "http://q/", "collection": "c", "embedder": {}}, "r.embedder.kind: is missing"),
        ({"kind": "pinecone", "url": "http://p/", "embedder": EMBEDDER}, "set either api_key"),
        ({"kind": "opensearch", "url": "http://o/", "index": "i"}, "needs match, the fields to search"),
        ({"kind": "opensearch", "url": "http://o/", "index": "i", "mode": "knn"}, "needs vector and embedder"),
        ({"kind": "weaviate", "url": "http://w/", "collection": "C"}, "needs an embedder"),
        (
            {"kind": "weaviate", "url": "http://w/", "collection": "C", "embedder": EMBEDDER, "api": "rest"},
            "takes no vector",
        ),
        ({"kind": "weaviate", "url": "http://w/", "collection": "C) { x"}, "r.collection"),
        ({"kind": "opensearch", "url": "http://o/", "index": "i", "vector": "v')"}, "r.vector"),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_work_is_refused(section, message):
    """A configuration that cannot work is rejected when it is checked, with its key."""
    with pytest.raises(ConfigError) as caught:
        registry.resolve("retriever", section, where="r")
    assert message in str(caught.value)

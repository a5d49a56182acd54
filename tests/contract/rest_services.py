"""Fakes of REST search services: each request is checked against the published schema.

Errors use the texts of the services. A fake is not the service: behaviour not checked here is unverified.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from tests.contract.fakes import schema
from tests.contract.local_server import Answer, LocalServer, ReceivedRequest, reply, serving
from tests.contract.vector_stores import CORPUS, DIMENSION, TOKEN, Chunk

Response = tuple[int, Any]
"""A status and a body."""


class RefusedError(Exception):
    """A request that gets an error response."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.response = (status, body)


@dataclass(frozen=True)
class Service:
    """A service and the options of its retriever."""

    answer: Callable[[ReceivedRequest], Response]
    options: Mapping[str, Any]
    collection: str
    """Option with the name of the collection."""
    key: str = "api_key"
    unknown: str = "chunkz"
    """Name of a collection that does not exist."""


@dataclass
class RunningService:
    """A running service."""

    options: dict[str, Any]
    server: LocalServer
    violations: list[str] = field(default_factory=list)
    override: Answer | None = None
    """Handler that replaces the service."""


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[RunningService]:
    """Run the service until the block ends. A request that breaks its schema is recorded as a violation."""

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if state.override is not None:
            await state.override(request, writer)
            return
        try:
            status, body = service.answer(request)
        except RefusedError as refused:
            status, body = refused.response
        except Exception as error:  # noqa: BLE001 - any invalid request gets status 400
            state.violations.append(f"{type(error).__name__}: {error}")
            status, body = 400, {"message": "bad request"}
        await reply(status, body)(request, writer)

    async with serving(answer) as server:
        state = RunningService({**service.options, "url": server.url("/")}, server)
        yield state


def body_of(request: ReceivedRequest, *names: str) -> Any:
    """The JSON body, checked against the schemas."""
    assert request.headers["content-type"] == "application/json"
    body = json.loads(request.body)
    for name in names:
        schema(name).validate(body)
    return body


def cosines(vector: list[float]) -> dict[str, float]:
    """Cosine similarity of each chunk."""
    return {chunk.doc_id: float(chunk.vector @ np.asarray(vector)) for chunk in CORPUS}


def nearest_chunks(vector: list[float], k: int) -> list[tuple[Chunk, float]]:
    """The nearest chunks, best first."""
    near = cosines(vector)
    return [(chunk, near[chunk.doc_id]) for chunk in sorted(CORPUS, key=lambda chunk: -near[chunk.doc_id])[:k]]


def matching_chunks(query: str, k: int) -> list[tuple[Chunk, float]]:
    """Chunks by the number of words shared with the query; chunks that share none follow."""
    words = set(query.split())
    scored = [(chunk, float(len(words & set(chunk.text.split())))) for chunk in CORPUS]
    return sorted(scored, key=lambda pair: -pair[1])[:k]


def number_of(chunk: Chunk) -> int:
    """Id of the chunk for services with numeric ids."""
    return int(chunk.doc_id[1:])


def stored(chunk: Chunk) -> dict[str, Any]:
    """The fields of a chunk."""
    return {
        "name": chunk.doc_id,
        "text": chunk.text,
        "source": chunk.source,
        "start_at": chunk.start,
        "end_at": chunk.end,
    }


def only(document: dict[str, Any], names: Any) -> dict[str, Any] | None:
    """The requested fields."""
    return {name: document[name] for name in names if name in document} if isinstance(names, list) else None


def qdrant(request: ReceivedRequest) -> Response:
    """Qdrant 1.17."""

    def refuse(status: int, error: str) -> RefusedError:
        return RefusedError(status, {"status": {"error": error}, "time": 0.000012})

    if request.headers.get("api-key") != TOKEN:
        raise RefusedError(401, b"Must provide an API key or an Authorization bearer token")
    name, verb = re.fullmatch(r"/collections/([^/]+)/points(?:/(\w+))?", request.path).groups()  # type: ignore[union-attr]  # raises if not
    if name != "chunks":
        raise refuse(404, f"Not found: Collection `{name}` doesn't exist!")
    if verb == "query":
        body = body_of(request, "qdrant_query")
        if body.get("using", "dense") != "dense":
            raise refuse(400, f"Wrong input: Not existing vector name error: {body['using']}")
        if len(body["query"]) != DIMENSION:
            raise refuse(
                400, f"Wrong input: Vector dimension error: expected dim: {DIMENSION}, got {len(body['query'])}"
            )
        points = [
            {"id": number_of(chunk), "version": 3, "score": score, "payload": only(stored(chunk), body["with_payload"])}
            for chunk, score in nearest_chunks(body["query"], body["limit"])
        ]
        return 200, {"result": {"points": points}, "status": "ok", "time": 0.0004}
    body = body_of(request, "qdrant_scroll" if verb else "qdrant_points")
    ids = body["filter"]["must"][0]["match"]["any"] if verb else [f"d{number}" for number in body["ids"]]
    points = [
        {
            "id": number_of(each),
            "payload": only(stored(each), body["with_payload"]),
            "vector": {"dense": each.vector.tolist()},
        }
        for each in CORPUS
        if each.doc_id in ids
    ]
    return 200, {
        "result": {"points": points, "next_page_offset": None} if verb else points,
        "status": "ok",
        "time": 0.1,
    }


def pinecone(request: ReceivedRequest) -> Response:
    """The data plane of Pinecone, 2025-10."""
    assert request.headers["x-pinecone-api-version"] == "2025-10"
    if request.headers.get("api-key") != TOKEN:
        raise RefusedError(401, b"Unauthorized")
    parts = urlsplit(request.path)
    if parts.path == "/vectors/fetch":
        ids = parse_qs(parts.query)["ids"]
        vectors = {
            chunk.doc_id: {"id": chunk.doc_id, "values": chunk.vector.tolist()}
            for chunk in CORPUS
            if chunk.doc_id in ids
        }
        return 200, {"vectors": vectors, "namespace": "", "usage": {"readUnits": 1}}
    if parts.path != "/query":
        raise RefusedError(404, b"")
    body = body_of(request, "pinecone_query")
    if len(body["vector"]) != DIMENSION:
        message = f"Vector dimension {len(body['vector'])} does not match the dimension of the index {DIMENSION}"
        raise RefusedError(400, {"code": 3, "message": message, "details": []})
    matches = [{"id": chunk.doc_id, "score": score} for chunk, score in nearest_chunks(body["vector"], body["topK"])]
    if body["includeMetadata"]:
        for match, (chunk, _) in zip(matches, nearest_chunks(body["vector"], body["topK"]), strict=True):
            # Pinecone stores every number as a float.
            numbers = {"start_at": float(chunk.start), "end_at": float(chunk.end)}
            match["metadata"] = {**stored(chunk), **numbers}
    return 200, {"matches": matches, "namespace": body["namespace"], "usage": {"readUnits": 5}}


def opensearch(request: ReceivedRequest) -> Response:
    """OpenSearch 2.19, with the k-NN and neural-search plug-ins."""
    return _search(request, "opensearch_search", _opensearch_vector)


def elasticsearch(request: ReceivedRequest) -> Response:
    """Elasticsearch 8.16."""
    return _search(request, "elasticsearch_search", _elasticsearch_vector)


def _search(request: ReceivedRequest, name: str, vector_in: Callable[[Any], list[float] | None]) -> Response:
    if request.headers.get("authorization") != f"ApiKey {TOKEN}":
        raise RefusedError(
            401, {"error": {"type": "security_exception", "reason": f"unable to authenticate {TOKEN}"}, "status": 401}
        )
    parts = urlsplit(request.path)
    index = parts.path.strip("/").removesuffix("/_search")
    if index != "chunks":
        cause = {"type": "index_not_found_exception", "reason": f"no such index [{index}]", "index": index}
        raise RefusedError(404, {"error": {"root_cause": [cause], **cause}, "status": 404})
    body = body_of(request, name)
    size, text = body["size"], json.dumps(body, ensure_ascii=False)
    if '"terms"' in text or '"ids"' in text:
        id_list = re.search(r'"(?:name|values)": (\[[^\]]+\])', text)[1]  # type: ignore[index]  # raises if not
        scored_chunks = [(each, 1.0) for each in CORPUS if each.doc_id in json.loads(id_list)]
    elif (vector := vector_in(body)) is None:
        query = re.search(r'"query": ("(?:[^"\\]|\\.)*")', text)[1]  # type: ignore[index]  # raises if not
        scored_chunks = matching_chunks(json.loads(query), size)
    else:
        if name == "opensearch_search" and "hybrid" in body["query"]:
            assert parse_qs(parts.query) == {"search_pipeline": ["rrf"]}
        scored_chunks = nearest_chunks(vector, size)
    source = body["_source"]
    hits = [
        {"_index": "chunks", "_id": chunk.doc_id, "_score": score}
        | ({"_source": only({**stored(chunk), "dense": chunk.vector.tolist()}, source)} if source else {})
        for chunk, score in scored_chunks
    ]
    total = {"value": len(hits), "relation": "eq"}
    shards = {"total": 3, "successful": 3, "skipped": 0, "failed": 0}
    return 200, {"took": 2, "timed_out": False, "_shards": shards, "hits": {"total": total, "hits": hits}}


def _opensearch_vector(body: Any) -> list[float] | None:
    query = body["query"]
    query = query["hybrid"]["queries"][1] if "hybrid" in query else query
    if "script_score" in query:
        return query["script_score"]["script"]["params"]["query_value"]
    if "knn" not in query:
        return None
    clause = query["knn"]["dense"]
    if len(clause["vector"]) != DIMENSION:
        message = f"Query vector has invalid dimension: {len(clause['vector'])}. Dimension should be: {DIMENSION}"
        raise RefusedError(
            400, {"error": {"root_cause": [{"type": "query_shard_exception", "reason": message}]}, "status": 400}
        )
    return clause["vector"]


def _elasticsearch_vector(body: Any) -> list[float] | None:
    if "script_score" in body.get("query", {}):
        script = body["query"]["script_score"]["script"]
        assert script["source"] == "cosineSimilarity(params.vector, 'dense') + 1.0"
        return script["params"]["vector"]
    knn = body["retriever"]["rrf"]["retrievers"][1]["knn"] if "retriever" in body else body.get("knn")
    if knn is None:
        return None
    assert (knn["field"], knn["k"] <= knn["num_candidates"]) == ("dense", True)
    if len(knn["query_vector"]) != DIMENSION:
        length = len(knn["query_vector"])
        message = f"the query vector has a different dimension [{length}] than the index vectors [{DIMENSION}]"
        raise RefusedError(
            400, {"error": {"root_cause": [{"type": "illegal_argument_exception", "reason": message}]}, "status": 400}
        )
    return knn["query_vector"]


def weaviate(request: ReceivedRequest) -> Response:
    """Weaviate 1.39."""
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        message = "anonymous access not enabled. Please authenticate through one of the available methods: [API Keys]"
        raise RefusedError(401, {"code": 401, "message": message})
    if request.path == "/v1/graphql":
        return _graphql(body_of(request, "weaviate_graphql")["query"])
    name, route = re.fullmatch(r"/v1/search/(\w+)/(near-text|bm25|hybrid)", request.path).groups()  # type: ignore[union-attr]  # raises if not
    if name != "Chunks":
        raise RefusedError(404, {"error": [{"message": f"collection {name} not found"}]})
    body = body_of(request, "weaviate_search")
    assert isinstance(body["query"], list) == (route == "near-text")
    (score_name,) = body["returnMetadata"]
    query = body["query"][0] if route == "near-text" else body["query"]
    results = [
        {
            "id": uuid_of(chunk),
            "properties": only(stored(chunk), body["returnProperties"]),
            "metadata": {score_name: score},
        }
        for chunk, score in matching_chunks(query, body["limit"])
    ]
    return 200, {"results": results, "tookMs": 8}


def uuid_of(chunk: Chunk) -> str:
    """Id of the chunk for services with UUIDs."""
    return f"00000000-0000-4000-8000-{number_of(chunk):012}"


STRING = r'"(?:[^"\\]|\\.)*"'


def _graphql(query: str) -> Response:
    def failure(message: str) -> Response:
        return 200, {"data": {"Get": {"Chunks": None}}, "errors": [{"message": message, "path": ["Get", "Chunks"]}]}

    plain = re.sub(STRING, '""', query)
    assert all(plain.count(left) == plain.count(right) for left, right in ("{}", "()", "[]"))
    whole = re.fullmatch(r"\{ Get \{ (\w+)\((.*)\) \{ (.*?)_additional \{ (.*) \} \} \} \}", query)
    assert whole, query
    name, arguments, properties, additional = whole.groups()
    if name != "Chunks":
        return failure(f'Cannot query field "{name}" on type "GetObjectsObj". Did you mean "Chunks"?')
    limit = int(re.search(r"limit: (\d+)", arguments)[1])  # type: ignore[index]  # raises if not
    if "ContainsAny" in arguments:
        scored_chunks = [
            (each, 0.0) for each in CORPUS if f'"{uuid_of(each)}"' in arguments or f'"{each.doc_id}"' in arguments
        ]
    elif vector := re.search(r"vector: (\[[^\]]*\])", arguments):
        numbers = json.loads(vector[1])
        if len(numbers) != DIMENSION:
            message = (
                f"vector search: knn search: distance between entrypoint and query node: {DIMENSION} vs {len(numbers)}"
            )
            return failure(f"explorer: get class: {message}: vector lengths don't match")
        scored_chunks = nearest_chunks(numbers, limit)
    else:
        match = re.search(rf"(?:query: |concepts: \[)({STRING})", arguments)
        assert match, arguments
        scored_chunks = matching_chunks(json.loads(match[1]), limit)
    objects = []
    for chunk, score in scored_chunks:
        metadata: dict[str, Any] = {"distance": 1.0 - score} if "distance" in additional else {"score": str(score)}
        metadata |= {"vectors": {"dense": chunk.vector.tolist()}} if "vectors { dense }" in additional else {}
        metadata |= {"vector": chunk.vector.tolist()} if re.search(r"\bvector\b", additional) else {}
        objects.append(
            {**(only(stored(chunk), properties.split()) or {}), "_additional": {"id": uuid_of(chunk), **metadata}}
        )
    return 200, {"data": {"Get": {"Chunks": objects}}}


_SEARCH = {"kind": "opensearch", "index": "chunks", "vector": "dense", "api_key": TOKEN}
_ELASTIC = {**_SEARCH, "dialect": "elasticsearch"}
_BOTH = {"mode": "hybrid", "match": ["text", "name^2"]}
_WEAVIATE = {"kind": "weaviate", "collection": "Chunks", "id": "name", "api_key": TOKEN}

BY_VECTOR: dict[str, Service] = {
    "qdrant": Service(
        qdrant,
        {"kind": "qdrant", "collection": "chunks", "id": "name", "using": "dense", "api_key": TOKEN},
        "collection",
    ),
    "opensearch knn": Service(opensearch, {**_SEARCH, "mode": "knn"}, "index"),
    "opensearch hybrid": Service(opensearch, {**_SEARCH, **_BOTH, "search_pipeline": "rrf"}, "index"),
    "elasticsearch knn": Service(elasticsearch, {**_ELASTIC, "mode": "knn"}, "index"),
    "elasticsearch hybrid": Service(elasticsearch, {**_ELASTIC, **_BOTH}, "index"),
    "weaviate": Service(weaviate, _WEAVIATE, "collection", unknown="Chunkz"),
    "weaviate hybrid": Service(weaviate, {**_WEAVIATE, "mode": "hybrid", "alpha": 0.5}, "collection", unknown="Chunkz"),
    "pinecone": Service(pinecone, {"kind": "pinecone", "api_key": TOKEN}, ""),
}
"""Services that receive the vector of the query."""

BY_WORDS: dict[str, Service] = {
    "opensearch bm25": Service(opensearch, {**_SEARCH, "match": ["text"]}, "index"),
    "elasticsearch bm25": Service(elasticsearch, {**_ELASTIC, "match": ["text", "name^2"]}, "index"),
    "weaviate bm25": Service(weaviate, {**_WEAVIATE, "mode": "bm25"}, "collection", unknown="Chunkz"),
    "weaviate near_text": Service(weaviate, {**_WEAVIATE, "mode": "near_text"}, "collection", unknown="Chunkz"),
    "weaviate rest bm25": Service(
        weaviate, {**_WEAVIATE, "mode": "bm25", "api": "rest"}, "collection", unknown="Chunkz"
    ),
    "weaviate rest hybrid": Service(
        weaviate, {**_WEAVIATE, "mode": "hybrid", "api": "rest"}, "collection", unknown="Chunkz"
    ),
    "weaviate rest near_text": Service(
        weaviate, {**_WEAVIATE, "mode": "near_text", "api": "rest"}, "collection", unknown="Chunkz"
    ),
}
"""Services that receive the text of the query."""

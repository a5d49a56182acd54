"""Search services over REST as their published interfaces describe them: each request is checked, and answered.

Errors are worded as the services word them. None is the service itself: what is not checked here is not known to work.
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

Said = tuple[int, Any]
"""A status and a body."""


class Refused(Exception):  # noqa: N818 - a word for what happens
    """A request that the service answers with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.said = (status, body)


@dataclass(frozen=True)
class Service:
    """A service, and how a retriever reaches it."""

    answer: Callable[[ReceivedRequest], Said]
    options: Mapping[str, Any]
    collection: str
    """The option that names what is searched."""
    key: str = "api_key"
    missing: str = "chunkz"
    """What is named that is not there."""


@dataclass
class Running:
    """A service that runs."""

    options: dict[str, Any]
    server: LocalServer
    complaints: list[str] = field(default_factory=list)
    instead: Answer | None = None
    """What it does in place of its work."""


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Running]:
    """The service, until the block ends. A request that breaks its rules is a complaint."""

    async def answer(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if ran.instead is not None:
            await ran.instead(asked, writer)
            return
        try:
            status, body = service.answer(asked)
        except Refused as refused:
            status, body = refused.said
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the service says 400
            ran.complaints.append(f"{type(error).__name__}: {error}")
            status, body = 400, {"message": "bad request"}
        await reply(status, body)(asked, writer)

    async with serving(answer) as server:
        ran = Running({**service.options, "url": server.url("/")}, server)
        yield ran


def body_of(asked: ReceivedRequest, *names: str) -> Any:
    """What was sent, once it is what the schema says."""
    assert asked.headers["content-type"] == "application/json"
    said = json.loads(asked.body)
    for name in names:
        schema(name).validate(said)
    return said


def cosines(vector: list[float]) -> dict[str, float]:
    """How near each chunk is."""
    return {chunk.doc_id: float(chunk.vector @ np.asarray(vector)) for chunk in CORPUS}


def nearest_chunks(vector: list[float], k: int) -> list[tuple[Chunk, float]]:
    """The nearest chunks, best first."""
    near = cosines(vector)
    return [(chunk, near[chunk.doc_id]) for chunk in sorted(CORPUS, key=lambda each: -near[each.doc_id])[:k]]


def matching_chunks(query: str, k: int) -> list[tuple[Chunk, float]]:
    """Chunks by how many words they share with a query; those that share none too, at the end."""
    words = set(query.split())
    scored = [(chunk, float(len(words & set(chunk.text.split())))) for chunk in CORPUS]
    return sorted(scored, key=lambda each: -each[1])[:k]


def number_of(chunk: Chunk) -> int:
    """The chunk's own id where ids are numbers."""
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
    """The fields that were asked for."""
    return {name: document[name] for name in names if name in document} if isinstance(names, list) else None


def qdrant(asked: ReceivedRequest) -> Said:
    """Qdrant 1.17."""

    def refuse(status: int, error: str) -> Refused:
        return Refused(status, {"status": {"error": error}, "time": 0.000012})

    if asked.headers.get("api-key") != TOKEN:
        raise Refused(401, b"Must provide an API key or an Authorization bearer token")
    name, verb = re.fullmatch(r"/collections/([^/]+)/points(?:/(\w+))?", asked.path).groups()  # type: ignore[union-attr]  # raises if not
    if name != "chunks":
        raise refuse(404, f"Not found: Collection `{name}` doesn't exist!")
    if verb == "query":
        said = body_of(asked, "qdrant_query")
        if said.get("using", "dense") != "dense":
            raise refuse(400, f"Wrong input: Not existing vector name error: {said['using']}")
        if len(said["query"]) != DIMENSION:
            raise refuse(
                400, f"Wrong input: Vector dimension error: expected dim: {DIMENSION}, got {len(said['query'])}"
            )
        points = [
            {"id": number_of(chunk), "version": 3, "score": score, "payload": only(stored(chunk), said["with_payload"])}
            for chunk, score in nearest_chunks(said["query"], said["limit"])
        ]
        return 200, {"result": {"points": points}, "status": "ok", "time": 0.0004}
    said = body_of(asked, "qdrant_scroll" if verb else "qdrant_points")
    wanted = said["filter"]["must"][0]["match"]["any"] if verb else [f"d{each}" for each in said["ids"]]
    points = [
        {
            "id": number_of(each),
            "payload": only(stored(each), said["with_payload"]),
            "vector": {"dense": each.vector.tolist()},
        }
        for each in CORPUS
        if each.doc_id in wanted
    ]
    return 200, {
        "result": {"points": points, "next_page_offset": None} if verb else points,
        "status": "ok",
        "time": 0.1,
    }


def pinecone(asked: ReceivedRequest) -> Said:
    """The data plane of Pinecone, 2025-10."""
    assert asked.headers["x-pinecone-api-version"] == "2025-10"
    if asked.headers.get("api-key") != TOKEN:
        raise Refused(401, b"Unauthorized")
    parts = urlsplit(asked.path)
    if parts.path == "/vectors/fetch":
        wanted = parse_qs(parts.query)["ids"]
        vectors = {
            each.doc_id: {"id": each.doc_id, "values": each.vector.tolist()} for each in CORPUS if each.doc_id in wanted
        }
        return 200, {"vectors": vectors, "namespace": "", "usage": {"readUnits": 1}}
    if parts.path != "/query":
        raise Refused(404, b"")
    said = body_of(asked, "pinecone_query")
    if len(said["vector"]) != DIMENSION:
        told = f"Vector dimension {len(said['vector'])} does not match the dimension of the index {DIMENSION}"
        raise Refused(400, {"code": 3, "message": told, "details": []})
    matches = [{"id": chunk.doc_id, "score": score} for chunk, score in nearest_chunks(said["vector"], said["topK"])]
    if said["includeMetadata"]:
        for match, (chunk, _) in zip(matches, nearest_chunks(said["vector"], said["topK"]), strict=True):
            numbers = {"start_at": float(chunk.start), "end_at": float(chunk.end)}  # it keeps every number as a float
            match["metadata"] = {**stored(chunk), **numbers}
    return 200, {"matches": matches, "namespace": said["namespace"], "usage": {"readUnits": 5}}


def opensearch(asked: ReceivedRequest) -> Said:
    """OpenSearch 2.19, with the k-NN and neural-search plug-ins."""
    return _search(asked, "opensearch_search", _opensearch_vector)


def elasticsearch(asked: ReceivedRequest) -> Said:
    """Elasticsearch 8.16."""
    return _search(asked, "elasticsearch_search", _elasticsearch_vector)


def _search(asked: ReceivedRequest, name: str, vector_in: Callable[[Any], list[float] | None]) -> Said:
    if asked.headers.get("authorization") != f"ApiKey {TOKEN}":
        raise Refused(
            401, {"error": {"type": "security_exception", "reason": f"unable to authenticate {TOKEN}"}, "status": 401}
        )
    parts = urlsplit(asked.path)
    index = parts.path.strip("/").removesuffix("/_search")
    if index != "chunks":
        cause = {"type": "index_not_found_exception", "reason": f"no such index [{index}]", "index": index}
        raise Refused(404, {"error": {"root_cause": [cause], **cause}, "status": 404})
    said = body_of(asked, name)
    size, text = said["size"], json.dumps(said, ensure_ascii=False)
    if '"terms"' in text or '"ids"' in text:
        wanted = re.search(r'"(?:name|values)": (\[[^\]]+\])', text)[1]  # type: ignore[index]  # raises if not
        found = [(each, 1.0) for each in CORPUS if each.doc_id in json.loads(wanted)]
    elif (vector := vector_in(said)) is None:
        query = re.search(r'"query": ("(?:[^"\\]|\\.)*")', text)[1]  # type: ignore[index]  # the same
        found = matching_chunks(json.loads(query), size)
    else:
        if name == "opensearch_search" and "hybrid" in said["query"]:
            assert parse_qs(parts.query) == {"search_pipeline": ["rrf"]}
        found = nearest_chunks(vector, size)
    source = said["_source"]
    hits = [
        {"_index": "chunks", "_id": each.doc_id, "_score": score}
        | ({"_source": only({**stored(each), "dense": each.vector.tolist()}, source)} if source else {})
        for each, score in found
    ]
    total = {"value": len(hits), "relation": "eq"}
    shards = {"total": 3, "successful": 3, "skipped": 0, "failed": 0}
    return 200, {"took": 2, "timed_out": False, "_shards": shards, "hits": {"total": total, "hits": hits}}


def _opensearch_vector(said: Any) -> list[float] | None:
    query = said["query"]
    query = query["hybrid"]["queries"][1] if "hybrid" in query else query
    if "script_score" in query:
        return query["script_score"]["script"]["params"]["query_value"]
    if "knn" not in query:
        return None
    asked = query["knn"]["dense"]
    if len(asked["vector"]) != DIMENSION:
        told = f"Query vector has invalid dimension: {len(asked['vector'])}. Dimension should be: {DIMENSION}"
        raise Refused(
            400, {"error": {"root_cause": [{"type": "query_shard_exception", "reason": told}]}, "status": 400}
        )
    return asked["vector"]


def _elasticsearch_vector(said: Any) -> list[float] | None:
    if "script_score" in said.get("query", {}):
        script = said["query"]["script_score"]["script"]
        assert script["source"] == "cosineSimilarity(params.vector, 'dense') + 1.0"
        return script["params"]["vector"]
    knn = said["retriever"]["rrf"]["retrievers"][1]["knn"] if "retriever" in said else said.get("knn")
    if knn is None:
        return None
    assert (knn["field"], knn["k"] <= knn["num_candidates"]) == ("dense", True)
    if len(knn["query_vector"]) != DIMENSION:
        given = len(knn["query_vector"])
        told = f"the query vector has a different dimension [{given}] than the index vectors [{DIMENSION}]"
        raise Refused(
            400, {"error": {"root_cause": [{"type": "illegal_argument_exception", "reason": told}]}, "status": 400}
        )
    return knn["query_vector"]


def weaviate(asked: ReceivedRequest) -> Said:
    """Weaviate 1.39."""
    if asked.headers.get("authorization") != f"Bearer {TOKEN}":
        told = "anonymous access not enabled. Please authenticate through one of the available methods: [API Keys]"
        raise Refused(401, {"code": 401, "message": told})
    if asked.path == "/v1/graphql":
        return _graphql(body_of(asked, "weaviate_graphql")["query"])
    name, route = re.fullmatch(r"/v1/search/(\w+)/(near-text|bm25|hybrid)", asked.path).groups()  # type: ignore[union-attr]  # raises if not
    if name != "Chunks":
        raise Refused(404, {"error": [{"message": f"collection {name} not found"}]})
    said = body_of(asked, "weaviate_search")
    assert isinstance(said["query"], list) == (route == "near-text")
    (told,) = said["returnMetadata"]
    query = said["query"][0] if route == "near-text" else said["query"]
    results = [
        {"id": uuid_of(chunk), "properties": only(stored(chunk), said["returnProperties"]), "metadata": {told: score}}
        for chunk, score in matching_chunks(query, said["limit"])
    ]
    return 200, {"results": results, "tookMs": 8}


def uuid_of(chunk: Chunk) -> str:
    """The chunk's own id where ids are UUIDs."""
    return f"00000000-0000-4000-8000-{number_of(chunk):012}"


STRING = r'"(?:[^"\\]|\\.)*"'


def _graphql(query: str) -> Said:
    def failed(told: str) -> Said:
        return 200, {"data": {"Get": {"Chunks": None}}, "errors": [{"message": told, "path": ["Get", "Chunks"]}]}

    plain = re.sub(STRING, '""', query)
    assert all(plain.count(left) == plain.count(right) for left, right in ("{}", "()", "[]"))
    whole = re.fullmatch(r"\{ Get \{ (\w+)\((.*)\) \{ (.*?)_additional \{ (.*) \} \} \} \}", query)
    assert whole, query
    name, arguments, properties, additional = whole.groups()
    if name != "Chunks":
        return failed(f'Cannot query field "{name}" on type "GetObjectsObj". Did you mean "Chunks"?')
    limit = int(re.search(r"limit: (\d+)", arguments)[1])  # type: ignore[index]  # raises if not
    if "ContainsAny" in arguments:
        found = [(each, 0.0) for each in CORPUS if f'"{uuid_of(each)}"' in arguments or f'"{each.doc_id}"' in arguments]
    elif vector := re.search(r"vector: (\[[^\]]*\])", arguments):
        numbers = json.loads(vector[1])
        if len(numbers) != DIMENSION:
            told = (
                f"vector search: knn search: distance between entrypoint and query node: {DIMENSION} vs {len(numbers)}"
            )
            return failed(f"explorer: get class: {told}: vector lengths don't match")
        found = nearest_chunks(numbers, limit)
    else:
        asked = re.search(rf"(?:query: |concepts: \[)({STRING})", arguments)
        assert asked, arguments
        found = matching_chunks(json.loads(asked[1]), limit)
    objects = []
    for chunk, score in found:
        told = {"distance": 1.0 - score} if "distance" in additional else {"score": str(score)}
        told |= {"vectors": {"dense": chunk.vector.tolist()}} if "vectors { dense }" in additional else {}
        told |= {"vector": chunk.vector.tolist()} if re.search(r"\bvector\b", additional) else {}
        objects.append(
            {**(only(stored(chunk), properties.split()) or {}), "_additional": {"id": uuid_of(chunk), **told}}
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
    "weaviate": Service(weaviate, _WEAVIATE, "collection", missing="Chunkz"),
    "weaviate hybrid": Service(weaviate, {**_WEAVIATE, "mode": "hybrid", "alpha": 0.5}, "collection", missing="Chunkz"),
    "pinecone": Service(pinecone, {"kind": "pinecone", "api_key": TOKEN}, ""),
}
"""Services that are given the vector of the query."""

BY_WORDS: dict[str, Service] = {
    "opensearch bm25": Service(opensearch, {**_SEARCH, "match": ["text"]}, "index"),
    "elasticsearch bm25": Service(elasticsearch, {**_ELASTIC, "match": ["text", "name^2"]}, "index"),
    "weaviate bm25": Service(weaviate, {**_WEAVIATE, "mode": "bm25"}, "collection", missing="Chunkz"),
    "weaviate near_text": Service(weaviate, {**_WEAVIATE, "mode": "near_text"}, "collection", missing="Chunkz"),
    "weaviate rest bm25": Service(
        weaviate, {**_WEAVIATE, "mode": "bm25", "api": "rest"}, "collection", missing="Chunkz"
    ),
    "weaviate rest hybrid": Service(
        weaviate, {**_WEAVIATE, "mode": "hybrid", "api": "rest"}, "collection", missing="Chunkz"
    ),
    "weaviate rest near_text": Service(
        weaviate, {**_WEAVIATE, "mode": "near_text", "api": "rest"}, "collection", missing="Chunkz"
    ),
}
"""Services that are given the text of the query."""

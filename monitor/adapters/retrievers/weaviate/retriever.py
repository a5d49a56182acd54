"""Talks to Weaviate through GraphQL or its REST Search API (1.39 or newer), without a client library.

Only GraphQL takes vectors: `near_vector` and a hybrid search with a configured embedder need it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from monitor.adapters import registry
from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.retrievers.vector_store.rest import RestOptions, dimension_hint, find, read_list
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreRetriever
from monitor.adapters.retrievers.weaviate import graphql
from monitor.adapters.secret import read_optional
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Vectors

_NAME = r"^[_A-Za-z][_0-9A-Za-z]*$"
_DIMENSIONS = (
    rb"vector lengths don't match: (?P<index>\d+) vs (?P<embedder>\d+)",
    rb"(?P<index>\d+) vs (?P<embedder>\d+): vector lengths don't match",
    rb"new node has a vector with length (?P<embedder>\d+)\. Existing nodes have vectors with length (?P<index>\d+)",
)


class WeaviateOptions(RestOptions):
    """Collection and search mode. Fields are properties of the collection."""

    collection: str = Field(pattern=_NAME)
    """Name of the collection."""
    api: Literal["graphql", "rest"] = "graphql"
    """API of the search; new clusters of Weaviate Cloud have GraphQL disabled."""
    mode: Literal["near_vector", "near_text", "bm25", "hybrid"] = "near_vector"
    """Search by a vector of ``embedder``, by a vector that Weaviate computes, by words, or by words and vector."""
    embedder: dict[str, Any] = Field(default_factory=dict, repr=False)
    """Embedder of queries, if Weaviate does not embed them; ``kind`` is its adapter."""
    properties: tuple[str, ...] = ()
    """Text properties to search; ``title^2`` has double weight. Default: all."""
    alpha: float | None = Field(default=None, ge=0, le=1)
    """Weight of the vector in a hybrid search."""
    target_vector: str | None = Field(default=None, pattern=_NAME)
    """Named vector to search, for collections with several."""
    where: dict[str, Any] | None = None
    """Filter in the JSON syntax of Weaviate."""
    tenant: str | None = None
    """Tenant to search, for multi-tenant collections."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """API key, sent as a bearer token; use ``${ENV}``."""
    api_key_file: Path | None = None
    """File with the API key, instead of ``api_key``."""

    @model_validator(mode="after")
    def _embedder_is_valid(self) -> WeaviateOptions:
        if self.mode == "near_vector" and not self.embedder:
            raise ValueError("mode: near_vector needs an embedder; if Weaviate embeds queries, set mode: near_text")
        if self.embedder:
            registry.resolve("embedder", self.embedder, where="embedder")
            if self.api == "rest" and self.mode in ("near_vector", "hybrid"):
                raise ValueError(
                    "api: rest takes no vectors; remove embedder (Weaviate then embeds queries) or set api: graphql"
                )
        return self

    @model_validator(mode="after")
    def _has_at_most_one_key(self) -> WeaviateOptions:
        read_optional(self, "api_key")
        return self


class WeaviateRetriever(VectorStoreRetriever):
    """Searches a collection of Weaviate."""

    Options = WeaviateOptions

    def __init__(self, options: WeaviateOptions) -> None:
        super().__init__(options)
        self._options = options
        key = read_optional(options, "api_key")
        self._api = options.open_api({"authorization": f"Bearer {key}"} if key else {})

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        options = self._options
        async with self._slot():
            needs_vector = options.mode in ("near_vector", "hybrid") and options.embedder
            vector = (await self._embed([query]))[0] if needs_vector else None
            if options.api == "rest":
                rows = await self._search_rest(query, k)
            else:
                rows = await self._get({"limit": k, **_operator(options, query, vector)})
        return self._to_ranking(rows, k)

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        return await self._get({"limit": k, **_operator(self._options, "", vector)})

    async def _search_rest(self, query: str, k: int) -> Sequence[Row]:
        options, mode = self._options, self._options.mode
        score = "distance" if mode == "near_text" else "score"
        request: dict[str, Any] = {
            "query": [query] if mode == "near_text" else query,
            "limit": k,
            "returnProperties": options.requested_fields,
            "returnMetadata": [score],
            "alpha": options.alpha if mode == "hybrid" else None,
            "queryProperties": list(options.properties) if mode != "near_text" and options.properties else None,
            "targetVector": options.target_vector if mode != "bm25" else None,
            "where": options.where,
            "tenant": options.tenant,
        }
        body = {key: value for key, value in request.items() if value is not None}
        path = f"/v1/search/{options.collection}/{mode.replace('_', '-')}"
        response = await self._api.request_json("POST", path, body, explain=self._explain)
        results = read_list(response, "results")
        return [
            self._row(item.get("id"), find(item, f"metadata.{score}"), score, item.get("properties"))
            for item in results
        ]

    async def _get(self, arguments: dict[str, Any]) -> Sequence[Row]:
        score = "distance" if {"nearVector", "nearText"} & set(arguments) else "score"
        items = await self._query_graphql(arguments, ["id", score])
        return [
            self._row(find(item, "_additional.id"), find(item, f"_additional.{score}"), score, item) for item in items
        ]

    def _row(self, object_id: Any, value: Any, score: str, properties: Any) -> Row:
        fields = self._options.read_fields(properties)
        return Row(fields[self._options.id] if self._options.id else object_id, _to_score(value, score), fields)

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        key, name = self._options.id, self._options.target_vector
        where = {"path": [key or "id"], "operator": "ContainsAny", "valueText": list(doc_ids)}
        selection = f"vectors {{ {name} }}" if name else "vector"
        items = await self._query_graphql({"limit": len(doc_ids), "where": where}, ["id", selection])
        ids = [find(item, key or "_additional.id") for item in items]
        vectors = [find(item, f"_additional.vectors.{name}" if name else "_additional.vector") for item in items]
        return dict(zip(map(str, ids), to_vectors(vectors, len(ids)), strict=True)) if items else {}

    async def _query_graphql(self, arguments: dict[str, Any], additional: Sequence[str]) -> list[dict[str, Any]]:
        options = self._options
        shared = {"where": options.where, "tenant": options.tenant}
        query = graphql.get(options.collection, {**shared, **arguments}, options.requested_fields, additional)
        response = await self._api.request_json("POST", "/v1/graphql", {"query": query}, explain=self._explain)
        if isinstance(response, dict) and response.get("errors"):
            self._raise_error(str(response["errors"]).encode())
        return read_list(response, "data", "Get", options.collection)

    def _raise_error(self, errors: bytes) -> None:
        """GraphQL returns status 200 for errors. An unknown error is retryable (``broken``)."""
        hint = self._explain(200, errors)
        if hint:
            raise RetrieverError(Reason.REJECTED, hint)
        raise RetrieverError(Reason.BROKEN, "the search failed; see the log of Weaviate")

    async def _index_dimension(self) -> int | None:
        return None  # would need another request; the error of a failed search includes both dimensions

    def _explain(self, status: int, body: bytes) -> str | None:
        if status == 404 or b'on type "GetObjectsObj"' in body or b"on type 'GetObjectsObj'" in body:
            return f"check that collection {self._options.collection} exists and {self._options.api} is enabled"
        if unknown := re.search(rb"Cannot query field .{1,2}(?P<name>[_0-9A-Za-z]+).{1,2} on type", body):
            name = unknown["name"].decode()
            return f"the collection has no property {name}" if name in self._options.requested_fields else None
        return dimension_hint(body, _DIMENSIONS)

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._api.close()


def _operator(options: WeaviateOptions, query: str, vector: Vectors | None) -> dict[str, Any]:
    """Build the search argument of `Get`."""
    targets = {"targetVectors": [options.target_vector]} if options.target_vector else {}
    words = {"query": query, "properties": list(options.properties) or None}
    numbers = None if vector is None else vector.tolist()
    match options.mode:
        case "near_text":
            return {"nearText": {"concepts": [query], **targets}}
        case "bm25":
            return {"bm25": words}
        case "hybrid":
            return {"hybrid": {**words, "alpha": options.alpha, "vector": numbers, **targets}}
    return {"nearVector": {"vector": numbers, **targets}}


def _to_score(value: Any, kind: str) -> Any:
    """Convert a value to a score, higher is nearer; GraphQL returns scores as text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return -number if kind == "distance" else number

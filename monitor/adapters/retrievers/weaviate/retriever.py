"""A retriever on Weaviate, through GraphQL or, from 1.39 on, its REST Search API; no client library is needed.

Only GraphQL takes a vector, so `near_vector` and a hybrid search with an embedder of its own need it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from monitor.adapters import registry
from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.retrievers.vector_store.rest import RestOptions, find, listed, wrong_dimension
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreRetriever
from monitor.adapters.retrievers.weaviate import graphql
from monitor.adapters.secret import read_optional
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Vectors

_NAME = r"^[_A-Za-z][_0-9A-Za-z]*$"
_DIMENSIONS = (
    rb"vector lengths don't match: (?P<held>\d+) vs (?P<given>\d+)",
    rb"(?P<held>\d+) vs (?P<given>\d+): vector lengths don't match",
    rb"new node has a vector with length (?P<given>\d+)\. Existing nodes have vectors with length (?P<held>\d+)",
)


class WeaviateOptions(RestOptions):
    """Which collection is searched, and how. Fields are its properties."""

    collection: str = Field(pattern=_NAME)
    """The collection."""
    api: Literal["graphql", "rest"] = "graphql"
    """Which API is asked; new clusters of Weaviate Cloud have GraphQL switched off."""
    mode: Literal["near_vector", "near_text", "bm25", "hybrid"] = "near_vector"
    """By the vector of an embedder named here, by one that Weaviate makes, by words, or by words and vector."""
    embedder: dict[str, Any] = Field(default_factory=dict, repr=False)
    """What turns queries into vectors, where Weaviate does not; ``kind`` names the adapter."""
    properties: tuple[str, ...] = ()
    """Properties whose words are searched; ``title^2`` counts twice. All of them if left out."""
    alpha: float | None = Field(default=None, ge=0, le=1)
    """Weight of the vector in a hybrid search."""
    target_vector: str | None = Field(default=None, pattern=_NAME)
    """Which vector is searched, where the collection has several with names."""
    where: dict[str, Any] | None = None
    """Which objects may be found, as Weaviate writes it in JSON."""
    tenant: str | None = None
    """The tenant that is searched, where the collection has tenants."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """Sent as bearer token; by ``${ENV}``."""
    api_key_file: Path | None = None
    """A file with the key, instead of ``api_key``."""

    @model_validator(mode="after")
    def _embedder_is_known(self) -> WeaviateOptions:
        if self.mode == "near_vector" and not self.embedder:
            raise ValueError("mode: near_vector needs an embedder; where Weaviate embeds, set mode: near_text")
        if self.embedder:
            registry.resolve("embedder", self.embedder, where="embedder")
            if self.api == "rest" and self.mode in ("near_vector", "hybrid"):
                raise ValueError("api: rest takes no vector; leave embedder out and let Weaviate embed, or use graphql")
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
        self._service = options.service({"authorization": f"Bearer {key}"} if key else {})

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        options = self._options
        async with self._turn():
            is_vector_sent = options.mode in ("near_vector", "hybrid") and options.embedder
            vector = (await self._embed([query]))[0] if is_vector_sent else None
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
            "returnProperties": options.asked_fields,
            "returnMetadata": [score],
            "alpha": options.alpha if mode == "hybrid" else None,
            "queryProperties": list(options.properties) if mode != "near_text" and options.properties else None,
            "targetVector": options.target_vector if mode != "bm25" else None,
            "where": options.where,
            "tenant": options.tenant,
        }
        said = {key: value for key, value in request.items() if value is not None}
        path = f"/v1/search/{options.collection}/{mode.replace('_', '-')}"
        answer = await self._service.ask("POST", path, said, explain=self._explain)
        results = listed(answer, "results")
        return [
            self._row(each.get("id"), find(each, f"metadata.{score}"), score, each.get("properties"))
            for each in results
        ]

    async def _get(self, arguments: dict[str, Any]) -> Sequence[Row]:
        score = "distance" if {"nearVector", "nearText"} & set(arguments) else "score"
        found = await self._ask_graphql(arguments, ["id", score])
        return [
            self._row(find(each, "_additional.id"), find(each, f"_additional.{score}"), score, each) for each in found
        ]

    def _row(self, own_id: Any, told: Any, score: str, properties: Any) -> Row:
        read = self._options.read_fields(properties)
        return Row(read[self._options.id] if self._options.id else own_id, _to_score(told, score), read)

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        key, name = self._options.id, self._options.target_vector
        where = {"path": [key or "id"], "operator": "ContainsAny", "valueText": list(doc_ids)}
        wanted = f"vectors {{ {name} }}" if name else "vector"
        found = await self._ask_graphql({"limit": len(doc_ids), "where": where}, ["id", wanted])
        ids = [find(each, key or "_additional.id") for each in found]
        vectors = [find(each, f"_additional.vectors.{name}" if name else "_additional.vector") for each in found]
        return dict(zip(map(str, ids), to_vectors(vectors, len(ids)), strict=True)) if found else {}

    async def _ask_graphql(self, arguments: dict[str, Any], additional: Sequence[str]) -> list[dict[str, Any]]:
        options = self._options
        shared = {"where": options.where, "tenant": options.tenant}
        said = graphql.get(options.collection, {**shared, **arguments}, options.asked_fields, additional)
        answer = await self._service.ask("POST", "/v1/graphql", {"query": said}, explain=self._explain)
        if isinstance(answer, dict) and answer.get("errors"):
            self._refuse(str(answer["errors"]).encode())
        return listed(answer, "data", "Get", options.collection)

    def _refuse(self, said: bytes) -> None:
        """GraphQL answers 200 whatever goes wrong; an error that nobody foresaw may pass."""
        told = self._explain(200, said)
        if told:
            raise RetrieverError(Reason.REJECTED, told)
        raise RetrieverError(Reason.BROKEN, "the search failed; the log of Weaviate says why")

    async def _held_dimension(self) -> int | None:
        return None  # asking would be another request; a search that does not fit is refused in numbers

    def _explain(self, status: int, said: bytes) -> str | None:
        if status == 404 or b'on type "GetObjectsObj"' in said or b"on type 'GetObjectsObj'" in said:
            return f"is there a collection {self._options.collection}, and does {self._options.api} answer?"
        if unknown := re.search(rb"Cannot query field .{1,2}(?P<name>[_0-9A-Za-z]+).{1,2} on type", said):
            named = unknown["name"].decode()
            return f"the collection has no property {named}" if named in self._options.asked_fields else None
        return wrong_dimension(said, _DIMENSIONS)

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._service.close()


def _operator(options: WeaviateOptions, query: str, vector: Vectors | None) -> dict[str, Any]:
    """The argument of `Get` that says how to search."""
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


def _to_score(told: Any, kind: str) -> Any:
    """A score that is higher for what is nearer; GraphQL tells scores as text."""
    try:
        number = float(told)
    except (TypeError, ValueError):
        return None
    return -number if kind == "distance" else number

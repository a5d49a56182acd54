"""How OpenSearch and Elasticsearch are asked: alike for words, in two dialects for vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from monitor.adapters import registry
from monitor.adapters.retrievers.vector_store.rest import RestOptions
from monitor.adapters.secret import read_optional
from monitor.ports.targets import Vectors

_SPACES = {"cosine": "cosinesimil", "dot_product": "innerproduct", "l2_norm": "l2"}
_SCRIPTS = {
    "cosine": "cosineSimilarity(params.vector, '{}') + 1.0",
    "dot_product": "sigmoid(1, Math.E, -dotProduct(params.vector, '{}'))",
    "l2_norm": "1 / (1 + l2norm(params.vector, '{}'))",
}
_CANDIDATES = 100
"""How many candidates of each shard are looked at where nothing else is said; at least twice as many as hits."""


class OpenSearchOptions(RestOptions):
    """Which index is searched, and how. Fields are those of ``_source``."""

    index: str = Field(min_length=1)
    """The index, or an alias of it."""
    dialect: Literal["opensearch", "elasticsearch"] = "opensearch"
    """Which of the two answers at ``url``; they take vectors differently."""
    mode: Literal["bm25", "knn", "hybrid"] = "bm25"
    """By words, by vector, or by both."""
    match: tuple[str, ...] = ()
    """Fields whose words are searched; ``title^2`` counts twice."""
    vector: str | None = Field(default=None, pattern=r"^[^'\\]+$")
    """Field with the vectors."""
    embedder: dict[str, Any] = Field(default_factory=dict, repr=False)
    """What turns queries into vectors, where they are searched by; ``kind`` names the adapter."""
    similarity: Literal["cosine", "dot_product", "l2_norm"] = "cosine"
    """How the exact search measures, as the index was built."""
    filter: dict[str, Any] | None = None
    """Which documents may be found, in the query language of the service."""
    candidates: int | None = Field(default=None, ge=1, le=10_000)
    """How thoroughly vectors are searched: ``num_candidates`` of Elasticsearch, ``ef_search`` of OpenSearch."""
    rank_window_size: int | None = Field(default=None, ge=1, le=10_000)
    """How many hits of each kind Elasticsearch joins by their ranks; as many as are asked for if left out."""
    search_pipeline: str | None = None
    """The pipeline that joins words and vectors in OpenSearch; if left out, the default one of the index."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """Sent as ``Authorization: ApiKey …``; by ``${ENV}``. For a user and a password write them into ``url``."""
    api_key_file: Path | None = None
    """A file with the key, instead of ``api_key``."""

    @model_validator(mode="after")
    def _embedder_is_known(self) -> OpenSearchOptions:
        if self.mode != "knn" and not self.match:
            raise ValueError(f"mode: {self.mode} searches words; name their fields at match")
        if self.mode != "bm25" and not (self.vector and self.embedder):
            raise ValueError(f"mode: {self.mode} searches vectors; give vector and embedder")
        if self.embedder:
            registry.resolve("embedder", self.embedder, where="embedder")
        return self

    @model_validator(mode="after")
    def _has_at_most_one_key(self) -> OpenSearchOptions:
        read_optional(self, "api_key")
        return self


def search(options: OpenSearchOptions, query: str, vector: Vectors | None, k: int) -> dict[str, Any]:
    """The search in the mode of the options."""
    if vector is None:
        return {"query": _filtered(_words(options, query), options)}
    if options.mode == "knn":
        return nearest(options, vector, k)
    words = _filtered(_words(options, query), options)
    if options.dialect == "opensearch":
        return {"query": {"hybrid": {"queries": [words, _opensearch_knn(options, vector, k)]}}}
    window = max(k, options.rank_window_size or k)
    joined: dict[str, Any] = {
        "retrievers": [{"standard": {"query": words}}, {"knn": _elasticsearch_knn(options, vector, window)}]
    }
    joined |= {"rank_window_size": window} if options.rank_window_size else {}
    return {"retriever": {"rrf": joined}}


def nearest(options: OpenSearchOptions, vector: Vectors, k: int) -> dict[str, Any]:
    """The approximate search by vector."""
    if options.dialect == "opensearch":
        return {"query": _opensearch_knn(options, vector, k)}
    return {"knn": _elasticsearch_knn(options, vector, k)}


def exact(options: OpenSearchOptions, vector: Vectors) -> dict[str, Any]:
    """The search that compares every document."""
    params: dict[str, Any]
    if options.dialect == "opensearch":
        params = {"field": options.vector, "query_value": vector.tolist(), "space_type": _SPACES[options.similarity]}
        script = {"lang": "knn", "source": "knn_score", "params": params}
    else:
        script = {"source": _SCRIPTS[options.similarity].format(options.vector), "params": {"vector": vector.tolist()}}
    every = _filtered({"exists": {"field": options.vector}}, options)
    return {"query": {"script_score": {"query": every, "script": script}}}


def _words(options: OpenSearchOptions, query: str) -> dict[str, Any]:
    if len(options.match) == 1 and "^" not in options.match[0]:
        return {"match": {options.match[0]: {"query": query}}}
    return {"multi_match": {"query": query, "fields": list(options.match)}}


def _filtered(query: dict[str, Any], options: OpenSearchOptions) -> dict[str, Any]:
    return {"bool": {"must": [query], "filter": [options.filter]}} if options.filter else query


def _opensearch_knn(options: OpenSearchOptions, vector: Vectors, k: int) -> dict[str, Any]:
    asked: dict[str, Any] = {"vector": vector.tolist(), "k": k}
    asked |= {"filter": options.filter} if options.filter else {}
    asked |= {"method_parameters": {"ef_search": options.candidates}} if options.candidates else {}
    return {"knn": {options.vector: asked}}


def _elasticsearch_knn(options: OpenSearchOptions, vector: Vectors, k: int) -> dict[str, Any]:
    candidates = max(k, options.candidates or min(10_000, max(_CANDIDATES, 2 * k)))
    asked = {"field": options.vector, "query_vector": vector.tolist(), "k": k, "num_candidates": candidates}
    return asked | ({"filter": options.filter} if options.filter else {})

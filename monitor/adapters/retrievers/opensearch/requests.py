"""Search requests for OpenSearch and Elasticsearch: equal for words, two dialects for vectors."""

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
"""Default number of candidates per shard; at least twice the number of hits."""


class OpenSearchOptions(RestOptions):
    """Index and search mode. Fields are those of ``_source``."""

    index: str = Field(min_length=1)
    """Name or alias of the index."""
    dialect: Literal["opensearch", "elasticsearch"] = "opensearch"
    """Server at ``url``; the two take vectors in different syntax."""
    mode: Literal["bm25", "knn", "hybrid"] = "bm25"
    """Search mode: by words, by vector, or by both."""
    match: tuple[str, ...] = ()
    """Text fields to search; ``title^2`` has double weight."""
    vector: str | None = Field(default=None, pattern=r"^[^'\\]+$")
    """Field with the vectors."""
    embedder: dict[str, Any] = Field(default_factory=dict, repr=False)
    """Embedder of queries, needed to search by vector; ``kind`` is its adapter."""
    similarity: Literal["cosine", "dot_product", "l2_norm"] = "cosine"
    """Similarity of the exact search; use that of the index."""
    filter: dict[str, Any] | None = None
    """Filter in the query language of the server."""
    candidates: int | None = Field(default=None, ge=1, le=10_000)
    """Candidates of a vector search: ``num_candidates`` of Elasticsearch, ``ef_search`` of OpenSearch."""
    rank_window_size: int | None = Field(default=None, ge=1, le=10_000)
    """Hits of each kind that Elasticsearch fuses by rank; default: ``k``."""
    search_pipeline: str | None = None
    """Pipeline that combines words and vectors in OpenSearch; default: that of the index."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """API key, sent as ``Authorization: ApiKey …``; use ``${ENV}``. Put a user and password into ``url``."""
    api_key_file: Path | None = None
    """File with the API key, instead of ``api_key``."""

    @model_validator(mode="after")
    def _embedder_is_valid(self) -> OpenSearchOptions:
        if self.mode != "knn" and not self.match:
            raise ValueError(f"mode: {self.mode} searches by words and needs match, the fields to search")
        if self.mode != "bm25" and not (self.vector and self.embedder):
            raise ValueError(f"mode: {self.mode} searches by vector and needs vector and embedder")
        if self.embedder:
            registry.resolve("embedder", self.embedder, where="embedder")
        return self

    @model_validator(mode="after")
    def _has_at_most_one_key(self) -> OpenSearchOptions:
        read_optional(self, "api_key")
        return self


def search(options: OpenSearchOptions, query: str, vector: Vectors | None, k: int) -> dict[str, Any]:
    """Build the search of the configured mode."""
    if vector is None:
        return {"query": _filtered(_words(options, query), options)}
    if options.mode == "knn":
        return nearest(options, vector, k)
    words = _filtered(_words(options, query), options)
    if options.dialect == "opensearch":
        return {"query": {"hybrid": {"queries": [words, _opensearch_knn(options, vector, k)]}}}
    window = max(k, options.rank_window_size or k)
    fusion: dict[str, Any] = {
        "retrievers": [{"standard": {"query": words}}, {"knn": _elasticsearch_knn(options, vector, window)}]
    }
    fusion |= {"rank_window_size": window} if options.rank_window_size else {}
    return {"retriever": {"rrf": fusion}}


def nearest(options: OpenSearchOptions, vector: Vectors, k: int) -> dict[str, Any]:
    """Build the approximate search by vector."""
    if options.dialect == "opensearch":
        return {"query": _opensearch_knn(options, vector, k)}
    return {"knn": _elasticsearch_knn(options, vector, k)}


def exact_search(options: OpenSearchOptions, vector: Vectors) -> dict[str, Any]:
    """Build the search that compares every document."""
    params: dict[str, Any]
    if options.dialect == "opensearch":
        params = {"field": options.vector, "query_value": vector.tolist(), "space_type": _SPACES[options.similarity]}
        script = {"lang": "knn", "source": "knn_score", "params": params}
    else:
        script = {"source": _SCRIPTS[options.similarity].format(options.vector), "params": {"vector": vector.tolist()}}
    candidates = _filtered({"exists": {"field": options.vector}}, options)
    return {"query": {"script_score": {"query": candidates, "script": script}}}


def _words(options: OpenSearchOptions, query: str) -> dict[str, Any]:
    if len(options.match) == 1 and "^" not in options.match[0]:
        return {"match": {options.match[0]: {"query": query}}}
    return {"multi_match": {"query": query, "fields": list(options.match)}}


def _filtered(query: dict[str, Any], options: OpenSearchOptions) -> dict[str, Any]:
    return {"bool": {"must": [query], "filter": [options.filter]}} if options.filter else query


def _opensearch_knn(options: OpenSearchOptions, vector: Vectors, k: int) -> dict[str, Any]:
    clause: dict[str, Any] = {"vector": vector.tolist(), "k": k}
    clause |= {"filter": options.filter} if options.filter else {}
    clause |= {"method_parameters": {"ef_search": options.candidates}} if options.candidates else {}
    return {"knn": {options.vector: clause}}


def _elasticsearch_knn(options: OpenSearchOptions, vector: Vectors, k: int) -> dict[str, Any]:
    candidates = max(k, options.candidates or min(10_000, max(_CANDIDATES, 2 * k)))
    clause = {"field": options.vector, "query_vector": vector.tolist(), "k": k, "num_candidates": candidates}
    return clause | ({"filter": options.filter} if options.filter else {})

"""Talks to OpenSearch or Elasticsearch through `_search`: by words (BM25), by vector (k-NN), or by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.retrievers.opensearch import requests
from monitor.adapters.retrievers.opensearch.requests import OpenSearchOptions
from monitor.adapters.retrievers.vector_store.rest import dimension_hint, find, read_list
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreRetriever
from monitor.adapters.secret import read_optional
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Vectors

_DIMENSIONS = (
    rb"has a different (?:number of )?dimensions? \[(?P<embedder>\d+)\] than the \w+ vectors \[(?P<index>\d+)\]",
    rb"nvalid dimension: (?P<embedder>\d+)\. Dimension should be: (?P<index>\d+)",
)


class OpenSearchRetriever(VectorStoreRetriever):
    """Searches an index of OpenSearch or Elasticsearch."""

    Options = OpenSearchOptions

    def __init__(self, options: OpenSearchOptions) -> None:
        super().__init__(options)
        self._options = options
        key = read_optional(options, "api_key")
        self._api = options.open_api({"authorization": f"ApiKey {key}"} if key else {})
        self._index = f"/{quote(options.index, safe=',')}"

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        async with self._slot():
            vector = None if self._options.mode == "bm25" else (await self._embed([query]))[0]
            rows = await self._post_search(requests.search(self._options, query, vector, k), k)
        return self._to_ranking(rows, k)

    async def search_exact(self, vector: Vectors, k: int) -> Ranking:
        """Return the ``k`` nearest documents by exact search, best first."""
        if self._options.vector is None:
            raise RetrieverError(Reason.REJECTED, "the target searches by words; set vector to search by vectors")
        async with self._slot():
            rows = await self._post_search(requests.exact_search(self._options, vector), k)
        return self._to_ranking(rows, k)

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        return await self._post_search(requests.nearest(self._options, vector, k), k)

    async def _post_search(self, request: dict[str, Any], k: int) -> Sequence[Row]:
        options = self._options
        request |= {"size": k, "_source": options.requested_fields or False}
        pipeline = options.search_pipeline if options.mode == "hybrid" else None
        params = {"search_pipeline": pipeline} if pipeline else None
        path = f"{self._index}/_search"
        response = await self._api.request_json("POST", path, request, params=params, explain=self._explain)
        _check_complete(response)
        hits = read_list(response, "hits", "hits")
        fields = [options.read_fields(hit.get("_source")) for hit in hits]
        return [
            Row(row[options.id] if options.id else hit.get("_id"), hit.get("_score"), row)
            for hit, row in zip(hits, fields, strict=True)
        ]

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        field, key = self._options.vector, self._options.id
        if field is None:
            raise RetrieverError(Reason.REJECTED, "the target searches by words; set vector to search by vectors")
        by_ids = {"terms": {key: list(doc_ids)}} if key else {"ids": {"values": list(doc_ids)}}
        request = {"query": by_ids, "size": len(doc_ids), "_source": [field, *filter(None, [key])]}
        response = await self._api.request_json("POST", f"{self._index}/_search", request, explain=self._explain)
        hits = read_list(response, "hits", "hits")
        ids = [find(hit.get("_source"), key) if key else hit.get("_id") for hit in hits]
        vectors = [find(hit.get("_source"), field) for hit in hits]
        return dict(zip(map(str, ids), to_vectors(vectors, len(ids)), strict=True)) if hits else {}

    async def _index_dimension(self) -> int | None:
        return None  # would need rights on the mapping; the error of a failed search includes both dimensions

    def _explain(self, status: int, body: bytes) -> str | None:
        if status == 404:
            return f"check that the index {self._options.index} exists"
        if b"number of documents in the index cannot exceed" in body:
            return "the exact search is too large"
        return dimension_hint(body, _DIMENSIONS)

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._api.close()


def _check_complete(response: Any) -> None:
    """Raise RetrieverError if a shard did not respond: its documents would be missing."""
    if not isinstance(response, dict):
        raise RetrieverError(Reason.MALFORMED, "the response is not a search response")
    if response.get("timed_out"):
        raise RetrieverError(Reason.TIMEOUT, "the search exceeded the timeout of the server")
    shards = response.get("_shards")
    n_failed = shards.get("failed") if isinstance(shards, dict) else None
    if isinstance(n_failed, int) and n_failed > 0:
        raise RetrieverError(Reason.BROKEN, f"{n_failed} shards of the index did not respond")

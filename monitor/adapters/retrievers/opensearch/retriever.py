"""A retriever on OpenSearch or Elasticsearch, through `_search`: by words (BM25), by vector (k-NN), or by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.retrievers.opensearch import requests
from monitor.adapters.retrievers.opensearch.requests import OpenSearchOptions
from monitor.adapters.retrievers.vector_store.rest import find, listed, wrong_dimension
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreRetriever
from monitor.adapters.secret import read_optional
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Vectors

_DIMENSIONS = (
    rb"has a different (?:number of )?dimensions? \[(?P<given>\d+)\] than the \w+ vectors \[(?P<held>\d+)\]",
    rb"nvalid dimension: (?P<given>\d+)\. Dimension should be: (?P<held>\d+)",
)


class OpenSearchRetriever(VectorStoreRetriever):
    """Searches an index of OpenSearch or Elasticsearch."""

    Options = OpenSearchOptions

    def __init__(self, options: OpenSearchOptions) -> None:
        super().__init__(options)
        self._options = options
        key = read_optional(options, "api_key")
        self._api = options.service({"authorization": f"ApiKey {key}"} if key else {})
        self._index = f"/{quote(options.index, safe=',')}"

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        async with self._turn():
            vector = None if self._options.mode == "bm25" else (await self._embed([query]))[0]
            rows = await self._ask(requests.search(self._options, query, vector, k), k)
        return self._to_ranking(rows, k)

    async def search_exact(self, vector: Vectors, k: int) -> Ranking:
        """The ``k`` nearest documents of all, best first."""
        if self._options.vector is None:
            raise RetrieverError(Reason.REJECTED, "the target is searched by words; name a field at vector")
        async with self._turn():
            rows = await self._ask(requests.exact(self._options, vector), k)
        return self._to_ranking(rows, k)

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        return await self._ask(requests.nearest(self._options, vector, k), k)

    async def _ask(self, request: dict[str, Any], k: int) -> Sequence[Row]:
        options = self._options
        request |= {"size": k, "_source": options.asked_fields or False}
        joined = options.search_pipeline if options.mode == "hybrid" else None
        params = {"search_pipeline": joined} if joined else None
        answer = await self._api.ask("POST", f"{self._index}/_search", request, params=params, explain=self._explain)
        _check_whole(answer)
        hits = listed(answer, "hits", "hits")
        fields = [options.read_fields(hit.get("_source")) for hit in hits]
        return [
            Row(read[options.id] if options.id else hit.get("_id"), hit.get("_score"), read)
            for hit, read in zip(hits, fields, strict=True)
        ]

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        field, key = self._options.vector, self._options.id
        if field is None:
            raise RetrieverError(Reason.REJECTED, "the target is searched by words; name a field at vector")
        wanted = {"terms": {key: list(doc_ids)}} if key else {"ids": {"values": list(doc_ids)}}
        request = {"query": wanted, "size": len(doc_ids), "_source": [field, *filter(None, [key])]}
        answer = await self._api.ask("POST", f"{self._index}/_search", request, explain=self._explain)
        hits = listed(answer, "hits", "hits")
        ids = [find(hit.get("_source"), key) if key else hit.get("_id") for hit in hits]
        vectors = [find(hit.get("_source"), field) for hit in hits]
        return dict(zip(map(str, ids), to_vectors(vectors, len(ids)), strict=True)) if hits else {}

    async def _held_dimension(self) -> int | None:
        return None  # asking would need rights on the mapping; a search that does not fit is refused in numbers

    def _explain(self, status: int, said: bytes) -> str | None:
        if status == 404:
            return f"is there an index {self._options.index}?"
        if b"number of documents in the index cannot exceed" in said:
            return "the exact search is too large"
        return wrong_dimension(said, _DIMENSIONS)

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._api.close()


def _check_whole(answer: Any) -> None:
    """Raises RetrieverError where a part of the index did not answer: its documents would be missed."""
    if not isinstance(answer, dict):
        raise RetrieverError(Reason.MALFORMED, "the answer is not one of a search")
    if answer.get("timed_out"):
        raise RetrieverError(Reason.TIMEOUT, "the search was cut off by its own timeout")
    shards = answer.get("_shards")
    failed = shards.get("failed") if isinstance(shards, dict) else None
    if isinstance(failed, int) and failed > 0:
        raise RetrieverError(Reason.BROKEN, f"{failed} shards of the index did not answer")

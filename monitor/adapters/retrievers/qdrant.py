"""Talks to Qdrant through its REST API (1.10 or newer), without a client library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator

from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.retrievers.vector_store.rest import RestOptions, dimension_hint, find, read_list
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreRetriever
from monitor.adapters.secret import read_optional
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Vectors

_DIMENSIONS = (rb"expected dim: (?P<index>\d+), got (?P<embedder>\d+)",)


class QdrantOptions(RestOptions):
    """Collection to search, and how. Fields are those of the payload."""

    collection: str = Field(min_length=1)
    """Name or alias of the collection."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """API key, sent as ``api-key``; use ``${ENV}``."""
    api_key_file: Path | None = None
    """File with the API key, instead of ``api_key``."""
    using: str | None = None
    """Named vector to search, for points with several."""
    filter: dict[str, Any] | None = None
    """Filter in the syntax of Qdrant."""
    exact: bool = False
    """Whether to search exactly, without the approximate index."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Other parameters of the search, for example ``hnsw_ef: 128``."""

    @model_validator(mode="after")
    def _has_at_most_one_key(self) -> QdrantOptions:
        read_optional(self, "api_key")
        return self


class QdrantRetriever(VectorStoreRetriever):
    """Searches a collection of Qdrant."""

    Options = QdrantOptions

    def __init__(self, options: QdrantOptions) -> None:
        super().__init__(options)
        self._options = options
        key = read_optional(options, "api_key")
        self._api = options.open_api({"api-key": key} if key else {})
        self._points = f"/collections/{quote(options.collection, safe='')}/points"

    async def search_exact(self, vector: Vectors, k: int) -> Ranking:
        """Return the ``k`` nearest documents by exact search, best first."""
        async with self._slot():
            rows = await self._query(vector, k, is_exact=True)
        return self._to_ranking(rows, k)

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        return await self._query(vector, k, is_exact=self._options.exact)

    async def _query(self, vector: Vectors, k: int, *, is_exact: bool) -> Sequence[Row]:
        options = self._options
        request: dict[str, Any] = {
            "query": vector.tolist(),
            "limit": k,
            "with_payload": options.requested_fields or False,
            "params": {**options.params, "exact": is_exact},
        }
        request |= {"using": options.using} if options.using else {}
        request |= {"filter": options.filter} if options.filter else {}
        points = read_list(await self._post("/query", request), "result", "points")
        fields = [options.read_fields(point.get("payload")) for point in points]
        return [
            Row(row[options.id] if options.id else point.get("id"), point.get("score"), row)
            for point, row in zip(points, fields, strict=True)
        ]

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        using, key = self._options.using, self._options.id
        request: dict[str, Any] = {"with_vector": [using] if using else True, "with_payload": [key] if key else False}
        if key is None:
            request["ids"] = [int(doc_id) if doc_id.isdecimal() else doc_id for doc_id in doc_ids]
            points = read_list(await self._post("", request), "result")
            ids = [point.get("id") for point in points]
        else:
            request |= {"limit": len(doc_ids), "filter": {"must": [{"key": key, "match": {"any": list(doc_ids)}}]}}
            points = read_list(await self._post("/scroll", request), "result", "points")
            ids = [find(point.get("payload"), key) for point in points]
        vectors = [find(point.get("vector"), using) if using else point.get("vector") for point in points]
        return dict(zip(map(str, ids), to_vectors(vectors, len(ids)), strict=True)) if points else {}

    async def _index_dimension(self) -> int | None:
        return None  # would need rights on the collection; the error of a failed search includes both dimensions

    async def _post(self, path: str, request: dict[str, Any]) -> Any:
        return await self._api.request_json("POST", self._points + path, request, explain=self._explain)

    def _explain(self, status: int, body: bytes) -> str | None:
        if status == 404:
            return f"check that the collection {self._options.collection} exists"
        if b"Not existing vector name" in body:
            return (
                f"unknown vector {self._options.using}"
                if self._options.using
                else "set using to the name of the vector"
            )
        return dimension_hint(body, _DIMENSIONS)

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._api.close()

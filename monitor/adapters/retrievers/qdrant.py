"""A retriever on Qdrant, through its REST API (1.10 or newer); no client library is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator

from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.retrievers.vector_store.rest import RestOptions, find, listed, wrong_dimension
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreRetriever
from monitor.adapters.secret import read_optional
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Vectors

_DIMENSIONS = (rb"expected dim: (?P<held>\d+), got (?P<given>\d+)",)


class QdrantOptions(RestOptions):
    """Which collection is searched, and how. Fields are those of the payload."""

    collection: str = Field(min_length=1)
    """The collection, or an alias of it."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """Sent as ``api-key``; by ``${ENV}``."""
    api_key_file: Path | None = None
    """A file with the key, instead of ``api_key``."""
    using: str | None = None
    """Which vector is searched, where the points have several with names."""
    filter: dict[str, Any] | None = None
    """Which points may be found, as Qdrant writes it."""
    exact: bool = False
    """Whether the approximate index is passed by."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Further parameters of the search; ``hnsw_ef: 128`` for example."""

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
        self._api = options.service({"api-key": key} if key else {})
        self._points = f"/collections/{quote(options.collection, safe='')}/points"

    async def search_exact(self, vector: Vectors, k: int) -> Ranking:
        """The ``k`` nearest documents of all, best first."""
        async with self._turn():
            rows = await self._query(vector, k, exact=True)
        return self._to_ranking(rows, k)

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        return await self._query(vector, k, exact=self._options.exact)

    async def _query(self, vector: Vectors, k: int, *, exact: bool) -> Sequence[Row]:
        options = self._options
        request: dict[str, Any] = {
            "query": vector.tolist(),
            "limit": k,
            "with_payload": options.asked_fields or False,
            "params": {**options.params, "exact": exact},
        }
        request |= {"using": options.using} if options.using else {}
        request |= {"filter": options.filter} if options.filter else {}
        points = listed(await self._ask("/query", request), "result", "points")
        fields = [options.read_fields(point.get("payload")) for point in points]
        return [
            Row(read[options.id] if options.id else point.get("id"), point.get("score"), read)
            for point, read in zip(points, fields, strict=True)
        ]

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        using, key = self._options.using, self._options.id
        request: dict[str, Any] = {"with_vector": [using] if using else True, "with_payload": [key] if key else False}
        if key is None:
            request["ids"] = [int(each) if each.isdecimal() else each for each in doc_ids]
            points = listed(await self._ask("", request), "result")
            ids = [point.get("id") for point in points]
        else:
            request |= {"limit": len(doc_ids), "filter": {"must": [{"key": key, "match": {"any": list(doc_ids)}}]}}
            points = listed(await self._ask("/scroll", request), "result", "points")
            ids = [find(point.get("payload"), key) for point in points]
        vectors = [find(point.get("vector"), using) if using else point.get("vector") for point in points]
        return dict(zip(map(str, ids), to_vectors(vectors, len(ids)), strict=True)) if points else {}

    async def _held_dimension(self) -> int | None:
        return None  # asking would need rights on the collection; a search that does not fit is refused in numbers

    async def _ask(self, path: str, request: dict[str, Any]) -> Any:
        return await self._api.ask("POST", self._points + path, request, explain=self._explain)

    def _explain(self, status: int, said: bytes) -> str | None:
        if status == 404:
            return f"is there a collection {self._options.collection}?"
        if b"Not existing vector name" in said:
            return f"no vector is called {self._options.using}" if self._options.using else "name the vector at using"
        return wrong_dimension(said, _DIMENSIONS)

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._api.close()

"""Talks to Pinecone through the data plane of its REST API, without a client library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, model_validator

from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.retrievers.vector_store.rest import RestOptions, dimension_hint, read_list
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreRetriever
from monitor.adapters.secret import read_one
from monitor.errors import Reason, RetrieverError
from monitor.ports.targets import Vectors

_DIMENSIONS = (
    rb"ector dimension (?P<embedder>\d+) does not match the dimension of the index (?P<index>\d+)",
    rb"ector dimension: expected (?P<index>\d+), got (?P<embedder>\d+)",
)


class PineconeOptions(RestOptions):
    """Index to search; ``url`` is the host of the index. Fields are metadata."""

    api_key: SecretStr | None = Field(default=None, repr=False)
    """API key, sent as ``Api-Key``; use ``${ENV}``."""
    api_key_file: Path | None = None
    """File with the API key, instead of ``api_key``."""
    api_version: str = "2025-10"
    """Version of the API, sent as ``X-Pinecone-Api-Version``."""
    namespace: str = ""
    """Namespace to search; empty for the default namespace."""
    filter: dict[str, Any] | None = None
    """Filter on metadata, in the syntax of Pinecone."""

    @model_validator(mode="after")
    def _has_one_key(self) -> PineconeOptions:
        read_one(self, "api_key")
        return self


class PineconeRetriever(VectorStoreRetriever):
    """Searches an index of Pinecone."""

    Options = PineconeOptions

    def __init__(self, options: PineconeOptions) -> None:
        super().__init__(options)
        self._options = options
        self._api = options.open_api(
            {"api-key": read_one(options, "api_key"), "x-pinecone-api-version": options.api_version}
        )

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        options = self._options
        request: dict[str, Any] = {
            "namespace": options.namespace,
            "vector": vector.tolist(),
            "topK": k,
            "includeValues": False,
            "includeMetadata": bool(options.requested_fields),
        }
        request |= {"filter": options.filter} if options.filter else {}
        matches = read_list(await self._api.request_json("POST", "/query", request, explain=_explain), "matches")
        fields = [options.read_fields(match.get("metadata")) for match in matches]
        return [
            Row(row[options.id] if options.id else match.get("id"), match.get("score"), row)
            for match, row in zip(matches, fields, strict=True)
        ]

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        if self._options.id:
            raise RetrieverError(Reason.REJECTED, "Pinecone fetches vectors by record id only; id names a field")
        params = {"ids": list(doc_ids), "namespace": self._options.namespace}
        response = await self._api.request_json("GET", "/vectors/fetch", params=params, explain=_explain)
        try:
            values = [record["values"] for record in response["vectors"].values()]
        except (LookupError, TypeError, AttributeError) as error:
            raise RetrieverError(Reason.MALFORMED, "the response is not from Pinecone") from error
        return dict(zip(response["vectors"], to_vectors(values, len(values)), strict=True)) if values else {}

    async def _index_dimension(self) -> int | None:
        return None  # would need another request; the error of a failed search includes both dimensions

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._api.close()


def _explain(status: int, body: bytes) -> str | None:
    if status == 404:
        return "check that url is the host of the index"
    return dimension_hint(body, _DIMENSIONS)

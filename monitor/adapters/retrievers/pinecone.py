"""A retriever on Pinecone, through the data plane of its REST API; no client library is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, model_validator

from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.retrievers.vector_store.rest import RestOptions, listed, wrong_dimension
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreRetriever
from monitor.adapters.secret import read_one
from monitor.errors import Reason, RetrieverError
from monitor.ports.targets import Vectors

_DIMENSIONS = (
    rb"ector dimension (?P<given>\d+) does not match the dimension of the index (?P<held>\d+)",
    rb"ector dimension: expected (?P<held>\d+), got (?P<given>\d+)",
)


class PineconeOptions(RestOptions):
    """Which index is searched; ``url`` is the host of the index. Fields are those of the metadata."""

    api_key: SecretStr | None = Field(default=None, repr=False)
    """Sent as ``Api-Key``; by ``${ENV}``."""
    api_key_file: Path | None = None
    """A file with the key, instead of ``api_key``."""
    api_version: str = "2025-10"
    """Sent as ``X-Pinecone-Api-Version``."""
    namespace: str = ""
    """The namespace that is searched; the default one if left out."""
    filter: dict[str, Any] | None = None
    """Condition on metadata, as Pinecone writes it."""

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
        self._api = options.service(
            {"api-key": read_one(options, "api_key"), "x-pinecone-api-version": options.api_version}
        )

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        options = self._options
        request: dict[str, Any] = {
            "namespace": options.namespace,
            "vector": vector.tolist(),
            "topK": k,
            "includeValues": False,
            "includeMetadata": bool(options.asked_fields),
        }
        request |= {"filter": options.filter} if options.filter else {}
        matches = listed(await self._api.ask("POST", "/query", request, explain=_explain), "matches")
        fields = [options.read_fields(match.get("metadata")) for match in matches]
        return [
            Row(read[options.id] if options.id else match.get("id"), match.get("score"), read)
            for match, read in zip(matches, fields, strict=True)
        ]

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        if self._options.id:
            raise RetrieverError(Reason.REJECTED, "Pinecone fetches vectors by its own ids only, and id names a field")
        params = {"ids": list(doc_ids), "namespace": self._options.namespace}
        found = await self._api.ask("GET", "/vectors/fetch", params=params, explain=_explain)
        try:
            values = [each["values"] for each in found["vectors"].values()]
        except (LookupError, TypeError, AttributeError) as error:
            raise RetrieverError(Reason.MALFORMED, "the answer is not one of Pinecone") from error
        return dict(zip(found["vectors"], to_vectors(values, len(values)), strict=True)) if values else {}

    async def _held_dimension(self) -> int | None:
        return None  # asking would be another request; a search that does not fit is refused in numbers

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._api.close()


def _explain(status: int, said: bytes) -> str | None:
    if status == 404:
        return "is url the host of the index?"
    return wrong_dimension(said, _DIMENSIONS)

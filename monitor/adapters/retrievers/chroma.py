"""Talks to a Chroma server through its HTTP API v2, without a client library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from pydantic import Field, SecretStr, model_validator

from monitor.adapters.http import transport
from monitor.adapters.http.json_api import JsonApi
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreOptions, VectorStoreRetriever, to_score
from monitor.adapters.secret import read_optional
from monitor.errors import Reason, RetrieverError
from monitor.ports.targets import Vectors

DOCUMENT = "document"
"""Chroma's name for the text of a record; all other fields are metadata."""


class ChromaOptions(VectorStoreOptions):
    """Collection to search. ``text: document`` is the text of a record; other fields are metadata."""

    url: transport.Url = Field(default="http://localhost:8000", repr=False)
    """URL of the server; a user and password in it are sent as basic authentication."""
    collection: str = Field(min_length=1)
    """Name of the collection."""
    tenant: str = "default_tenant"
    """Tenant of the database."""
    database: str = "default_database"
    """Database of the collection."""
    token: SecretStr | None = Field(default=None, repr=False)
    """Token, sent as ``x-chroma-token``; use ``${ENV}``."""
    token_file: Path | None = None
    """File with the token, instead of ``token``."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Extra headers of every request; use ``${ENV}`` for secrets."""
    where: dict[str, Any] | None = None
    """Filter on metadata, in the syntax of Chroma."""

    @model_validator(mode="after")
    def _has_at_most_one_token(self) -> ChromaOptions:
        read_optional(self, "token")
        return self


class ChromaRetriever(VectorStoreRetriever):
    """Searches a collection of a Chroma server."""

    Options = ChromaOptions

    def __init__(self, options: ChromaOptions) -> None:
        super().__init__(options)
        self._options = options
        token = read_optional(options, "token")
        self._api = JsonApi(
            options.url,
            timeout_s=options.timeout,
            connections=options.concurrency,
            headers={**({"x-chroma-token": token} if token else {}), **options.headers},
        )
        path = (options.tenant, options.database)
        self._collections = "/api/v2/tenants/{}/databases/{}/collections".format(
            *(quote(name, safe="") for name in path)
        )
        self._collection: dict[str, Any] = {}

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        include = ["distances"]
        include += ["documents"] if DOCUMENT in self._options.fields else []
        include += ["metadatas"] if set(self._options.fields) - {DOCUMENT} else []
        request = {"query_embeddings": [vector.tolist()], "n_results": k, "include": include}
        response = await self._post("query", request | ({"where": self._options.where} if self._options.where else {}))
        metric = _metric(self._collection)
        try:
            ids, distances = response["ids"][0], response["distances"][0]
            documents = response["documents"][0] if "documents" in include else [None] * len(ids)
            metadatas = response["metadatas"][0] if "metadatas" in include else [None] * len(ids)
            return [
                Row(doc_id, to_score(distance, metric), {**(metadata or {}), DOCUMENT: document})
                for doc_id, distance, metadata, document in zip(ids, distances, metadatas, documents, strict=True)
            ]
        except (LookupError, TypeError, ValueError) as error:
            raise RetrieverError(Reason.MALFORMED, "the response is not from Chroma") from error

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        await self._describe()
        response = await self._post("get", {"ids": list(doc_ids), "include": ["embeddings"]})
        try:
            vectors = [np.array(vector, dtype=np.float32) for vector in response["embeddings"]]
            return dict(zip(response["ids"], vectors, strict=True))
        except (LookupError, TypeError, ValueError) as error:
            raise RetrieverError(Reason.MALFORMED, "the response is not from Chroma") from error

    async def _index_dimension(self) -> int | None:
        dimension = (await self._describe()).get("dimension")
        return dimension if isinstance(dimension, int) else None

    async def _describe(self) -> dict[str, Any]:
        """Load the current description of the collection; a rebuilt collection has a new id."""
        name = self._options.collection
        hint = f"unknown collection {name} in {self._options.tenant}/{self._options.database}"
        collection = await self._api.request_json(
            "GET",
            f"{self._collections}/{quote(name, safe='')}",
            explain=lambda status, _: hint if status == 404 else None,
        )
        if not isinstance(collection, dict) or not isinstance(collection.get("id"), str):
            raise RetrieverError(Reason.MALFORMED, "the response is not from Chroma")
        self._collection = collection
        return collection

    async def _post(self, verb: str, request: dict[str, Any]) -> Any:
        try:
            return await self._api.request_json("POST", f"{self._collections}/{self._collection['id']}/{verb}", request)
        except RetrieverError:
            self._dimension = None  # the collection may have been rebuilt: reload it before the next probe
            raise

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._api.close()


def _metric(collection: Mapping[str, Any]) -> str:
    """Return the distance of the collection, ``l2`` by default."""
    configuration = collection.get("configuration_json") or {}
    for kind in ("hnsw", "spann"):
        if isinstance(configuration, dict) and isinstance(configuration.get(kind), dict):
            return str(configuration[kind].get("space", "l2"))
    return "l2"

"""A retriever on a Chroma server, through its HTTP API v2; no client library is needed."""

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
"""What Chroma calls the text of a record; every other field is metadata."""


class ChromaOptions(VectorStoreOptions):
    """Which collection is searched. ``text: document`` is Chroma's own document; other fields are metadata."""

    url: transport.Url = Field(default="http://localhost:8000", repr=False)
    """Where the server answers; user and password in it become basic authentication."""
    collection: str = Field(min_length=1)
    """Name of the collection."""
    tenant: str = "default_tenant"
    """Tenant of the database."""
    database: str = "default_database"
    """Database of the collection."""
    token: SecretStr | None = Field(default=None, repr=False)
    """Sent as ``x-chroma-token``; by ``${ENV}``."""
    token_file: Path | None = None
    """A file with the token, instead of ``token``."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every request; secrets by ``${ENV}``."""
    where: dict[str, Any] | None = None
    """Condition on metadata that the records must meet, as Chroma writes it."""

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
        place = (options.tenant, options.database)
        self._collections = "/api/v2/tenants/{}/databases/{}/collections".format(
            *(quote(each, safe="") for each in place)
        )
        self._collection: dict[str, Any] = {}

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        include = ["distances"]
        include += ["documents"] if DOCUMENT in self._options.fields else []
        include += ["metadatas"] if set(self._options.fields) - {DOCUMENT} else []
        request = {"query_embeddings": [vector.tolist()], "n_results": k, "include": include}
        found = await self._ask("query", request | ({"where": self._options.where} if self._options.where else {}))
        metric = _metric(self._collection)
        try:
            ids, distances = found["ids"][0], found["distances"][0]
            documents = found["documents"][0] if "documents" in include else [None] * len(ids)
            metadatas = found["metadatas"][0] if "metadatas" in include else [None] * len(ids)
            return [
                Row(doc_id, to_score(distance, metric), {**(metadata or {}), DOCUMENT: document})
                for doc_id, distance, metadata, document in zip(ids, distances, metadatas, documents, strict=True)
            ]
        except (LookupError, TypeError, ValueError) as error:
            raise RetrieverError(Reason.MALFORMED, "the answer is not one of Chroma") from error

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        await self._find()
        found = await self._ask("get", {"ids": list(doc_ids), "include": ["embeddings"]})
        try:
            vectors = [np.array(each, dtype=np.float32) for each in found["embeddings"]]
            return dict(zip(found["ids"], vectors, strict=True))
        except (LookupError, TypeError, ValueError) as error:
            raise RetrieverError(Reason.MALFORMED, "the answer is not one of Chroma") from error

    async def _held_dimension(self) -> int | None:
        dimension = (await self._find()).get("dimension")
        return dimension if isinstance(dimension, int) else None

    async def _find(self) -> dict[str, Any]:
        """The collection of that name as it is now; built anew, it has another id."""
        name = self._options.collection
        told = f"no collection is called {name} in {self._options.tenant}/{self._options.database}"
        found = await self._api.ask(
            "GET",
            f"{self._collections}/{quote(name, safe='')}",
            explain=lambda status, _: told if status == 404 else None,
        )
        if not isinstance(found, dict) or not isinstance(found.get("id"), str):
            raise RetrieverError(Reason.MALFORMED, "the answer is not one of Chroma")
        self._collection = found
        return found

    async def _ask(self, verb: str, request: dict[str, Any]) -> Any:
        try:
            return await self._api.ask("POST", f"{self._collections}/{self._collection['id']}/{verb}", request)
        except RetrieverError:
            self._dimension = None  # the collection may have been built anew: it is looked up before the next probe
            raise

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(Reason.BROKEN, type(error).__name__)

    async def _disconnect(self) -> None:
        await self._api.close()


def _metric(collection: Mapping[str, Any]) -> str:
    """The distance that the collection is searched by; ``l2`` where it does not say."""
    stated = collection.get("configuration_json") or {}
    for kind in ("hnsw", "spann"):
        if isinstance(stated, dict) and isinstance(stated.get(kind), dict):
            return str(stated[kind].get("space", "l2"))
    return "l2"

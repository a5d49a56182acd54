"""Talks to Milvus, Zilliz Cloud or a Milvus Lite file. Needs the extra ``milvus``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
from pydantic import Field, SecretStr, model_validator

from monitor.adapters import optional_import
from monitor.adapters.retrievers.vector_store.retriever import (
    Row,
    VectorStoreOptions,
    VectorStoreRetriever,
    engine_message,
)
from monitor.adapters.secret import read_optional
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Vectors

_EXACT = frozenset({"FLAT", "BIN_FLAT", ""})
_REASONS = (
    (("unauthenticated", "auth check fail", "permission_denied", "permissiondenied"), Reason.UNAUTHORISED),
    (("rate limit", "resource_exhausted"), Reason.RATE_LIMITED),
    (("deadline", "timeout", "timed out"), Reason.TIMEOUT),
    (("unavailable", "illegal connection params", "connect", "channel", "closed"), Reason.UNREACHABLE),
)
"""Words in an error and the reason they indicate; Milvus has codes for internal errors only."""


class MilvusOptions(VectorStoreOptions):
    """Collection to search, and how."""

    uri: str = Field(repr=False)
    """``http://host:19530``, the endpoint of Zilliz Cloud, or the path of a Milvus Lite file."""
    token: SecretStr | None = Field(default=None, repr=False)
    """``user:${PASSWORD}`` or an API key."""
    token_file: Path | None = None
    """File with the token, instead of ``token``."""
    database: str = ""
    """Database of the collection; empty for the default database."""
    collection: str = Field(min_length=1)
    """Name of the collection."""
    id: str = "id"
    """Field with the document id."""
    vector: str = "vector"
    """Field with the vectors."""
    filter: str = ""
    """Filter in the syntax of Milvus, for example ``tenant == 7``."""
    search: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the index search, such as ``ef: 64`` or ``nprobe: 16``; use those of the application."""

    @model_validator(mode="after")
    def _has_at_most_one_token(self) -> MilvusOptions:
        read_optional(self, "token")
        return self


class MilvusRetriever(VectorStoreRetriever):
    """Searches a collection of Milvus."""

    Options = MilvusOptions
    client_library = ("pymilvus", "milvus")

    def __init__(self, options: MilvusOptions) -> None:
        super().__init__(options)
        self._options = options
        self._client: Any = None
        self._is_lost = False
        self._primary = options.id
        self._sign = 1.0
        self._is_exact = False

    async def search_exact(self, vector: Vectors, k: int) -> Ranking:
        """Return the ``k`` nearest entities by exact search, best first; needs a FLAT index."""
        async with self._slot():
            await self._check_dimension(vector)
            if not self._is_exact:
                raise RetrieverError(Reason.REJECTED, "exact search on Milvus needs a FLAT index")
            rows = await self._search(vector, k)
        return self._to_ranking(rows, k)

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        options = self._options
        client = await self._open()
        results = await client.search(
            options.collection,
            data=[vector.tolist()],
            anns_field=options.vector,
            limit=k,
            filter=options.filter,
            output_fields=[options.id, *options.fields],
            search_params={"params": options.search},
            timeout=options.timeout,
        )
        return [
            Row(
                {**hit["entity"], self._primary: hit[self._primary]}[options.id],
                self._sign * hit["distance"],
                hit["entity"],
            )
            for hit in results[0]
        ]

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        options = self._options
        fields = {field["name"]: field for field in (await self._describe())["fields"]}
        is_text = getattr(fields[options.id]["type"], "name", "") == "VARCHAR"
        id_list = orjson.dumps([doc_id if is_text else int(doc_id) for doc_id in doc_ids]).decode()
        client = await self._open()
        rows = await client.query(
            options.collection,
            filter=f"{options.id} in {id_list}",
            output_fields=[options.id, options.vector],
            timeout=options.timeout,
        )
        return {str(row[options.id]): np.array(row[options.vector], dtype=np.float32) for row in rows}

    async def _index_dimension(self) -> int | None:
        options = self._options
        description = await self._describe()
        fields = {field["name"]: field for field in description["fields"]}
        missing_fields = sorted({options.id, options.vector} - set(fields))
        if missing_fields:
            raise RetrieverError(Reason.REJECTED, f"{options.collection} has no field {missing_fields[0]}")
        self._primary = next(name for name, field in fields.items() if field.get("is_primary"))
        if not options.uri.startswith(("http://", "https://", "tcp://")):
            # A Milvus Lite file: no other process can have loaded the collection.
            await (await self._open()).load_collection(options.collection, timeout=options.timeout)
        await self._read_index()
        dimension = fields[options.vector]["params"].get("dim")
        return None if dimension is None else int(dimension)

    async def _describe(self) -> dict[str, Any]:
        options, client = self._options, await self._open()
        if not await client.has_collection(options.collection, timeout=options.timeout):
            raise RetrieverError(Reason.REJECTED, f"unknown collection {options.collection}")
        return dict(await client.describe_collection(options.collection, timeout=options.timeout))

    async def _read_index(self) -> None:
        """Read the metric and type of the index; an L2 distance is negated to become a score."""
        options, client = self._options, await self._open()
        names = await client.list_indexes(options.collection, field_name=options.vector, timeout=options.timeout)
        index: Mapping[str, Any] = {}
        if names:
            index = await client.describe_index(options.collection, names[0], timeout=options.timeout) or {}
        self._sign = -1.0 if index.get("metric_type") == "L2" else 1.0
        self._is_exact = index.get("index_type", "") in _EXACT

    async def _open(self) -> Any:
        if self._is_lost:
            await self._disconnect()
        if self._client is None:
            pymilvus = optional_import.load("pymilvus", extra="milvus")
            for name in ("pymilvus", "pymilvus.milvus_client"):
                # pymilvus logs each error with a traceback; recallwatch reports it once.
                logging.getLogger(name).setLevel(logging.CRITICAL)
            options = self._options
            self._client = pymilvus.AsyncMilvusClient(
                options.uri,
                token=read_optional(options, "token") or "",
                db_name=options.database,
                timeout=options.timeout,
                # Otherwise a new client inherits the reconnect backoff of the previous one.
                grpc_options={"grpc.use_local_subchannel_pool": 1},
            )
        return self._client

    def _failure(self, error: Exception) -> RetrieverError:
        words = " ".join(map(str, _causes(error))).lower()
        for patterns, reason in _REASONS:
            if any(pattern in words for pattern in patterns):
                self._is_lost = reason is Reason.UNREACHABLE  # a new client avoids the growing backoff of gRPC
                hint = ": check the credentials" if reason is Reason.UNAUTHORISED else ""
                return RetrieverError(reason, f"Milvus: {type(error).__name__}{hint}")
        secrets = (read_optional(self._options, "token") or "", httpx.URL(self._options.uri).password)
        return RetrieverError(Reason.REJECTED, f"Milvus rejected the search: {engine_message(error, secrets)}")

    async def _disconnect(self) -> None:
        if self._client is not None:
            client, self._client, self._is_lost = self._client, None, False
            await client.close()


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return the error and its causes; only a cause mentions rejected credentials."""
    causes: list[BaseException] = []
    while error is not None and error not in causes:  # pymilvus raises errors from themselves
        causes.append(error)
        error = error.__cause__
    return causes

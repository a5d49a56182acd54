"""Talks to LanceDB in a folder, an object store or LanceDB Cloud. Needs the extra ``lancedb``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, SecretStr, model_validator

from monitor.adapters import optional_import
from monitor.adapters.http import transport
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreOptions, VectorStoreRetriever, to_score
from monitor.adapters.secret import read_optional
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Vectors


class LanceDbOptions(VectorStoreOptions):
    """Table to search, and how."""

    uri: str = Field(repr=False)
    """Folder, object store such as ``s3://bucket/path``, or ``db://database`` for LanceDB Cloud."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """API key of LanceDB Cloud; use ``${ENV}``."""
    api_key_file: Path | None = None
    """File with the API key, instead of ``api_key``."""
    region: str = "us-east-1"
    """Region of LanceDB Cloud."""
    host: str | None = None
    """Host of LanceDB Enterprise, instead of the cloud."""
    storage_options: dict[str, str] = Field(default_factory=dict, repr=False)
    """Options of the object store, such as ``aws_secret_access_key``; use ``${ENV}`` for secrets."""
    table: str = Field(min_length=1)
    """Name of the table."""
    id: str = "id"
    """Column with the document id."""
    vector: str = "vector"
    """Column with the vectors."""
    metric: Literal["l2", "cosine", "dot"] = "l2"
    """Distance of the search; an index supports only the distance it was built for."""
    search: Literal["index", "exact"] = "index"
    """``index`` for an approximate search that may miss documents, ``exact`` to compare every row."""
    nprobes: int | None = Field(default=None, ge=1)
    """Partitions of the index to search; use the value of the application."""
    refine_factor: int | None = Field(default=None, ge=1)
    """Candidates, as a multiple of ``k``, that are compared by full vectors; use the value of the application."""
    filter: str | None = None
    """Filter as an SQL condition, such as ``tenant = 7``."""

    @model_validator(mode="after")
    def _has_at_most_one_key(self) -> LanceDbOptions:
        read_optional(self, "api_key")
        return self


class LanceDbRetriever(VectorStoreRetriever):
    """Searches a table of LanceDB."""

    Options = LanceDbOptions
    client_library = ("lancedb", "lancedb")

    def __init__(self, options: LanceDbOptions) -> None:
        super().__init__(options)
        self._options = options
        self._database: Any = None
        self._table: Any = None

    async def search_exact(self, vector: Vectors, k: int) -> Ranking:
        """Return the ``k`` nearest documents by exact search, best first."""
        async with self._slot():
            rows = await self._query(vector, k, is_exact=True)
        return self._to_ranking(rows, k)

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        return await self._query(vector, k, is_exact=self._options.search == "exact")

    async def _query(self, vector: Vectors, k: int, *, is_exact: bool) -> list[Row]:
        options = self._options
        query = (await self._open()).query().nearest_to(vector).column(options.vector).distance_type(options.metric)
        query = query.limit(k).select([options.id, *options.fields, "_distance"])
        if options.nprobes is not None:
            query = query.nprobes(options.nprobes)
        if options.refine_factor is not None:
            query = query.refine_factor(options.refine_factor)
        if options.filter is not None:
            query = query.where(options.filter)
        rows = await (query.bypass_vector_index() if is_exact else query).to_list()
        return [Row(row[options.id], to_score(row["_distance"], options.metric), row) for row in rows]

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        options, table = self._options, await self._open()
        is_text = "string" in str((await table.schema()).field(options.id).type)
        id_list = ", ".join(_quoted(doc_id) if is_text else str(int(doc_id)) for doc_id in doc_ids)
        rows = await table.query().where(f"{options.id} IN ({id_list})").select([options.id, options.vector]).to_list()
        return {str(row[options.id]): np.array(row[options.vector], dtype=np.float32) for row in rows}

    async def _index_dimension(self) -> int | None:
        options = self._options
        schema = await (await self._open()).schema()
        for name in (options.id, options.vector, *options.fields):
            if name not in schema.names:
                raise RetrieverError(Reason.REJECTED, f"{options.table} has no column {name}")
        size = getattr(schema.field(options.vector).type, "list_size", None)
        if size is None:
            raise RetrieverError(Reason.REJECTED, f"the column {options.vector} of {options.table} has no vectors")
        return int(size)

    async def _open(self) -> Any:
        if self._table is None:
            lancedb, options = optional_import.load("lancedb", extra="lancedb"), self._options
            if _is_missing(options.uri):
                # LanceDB would create the folder and then report a missing table.
                raise RetrieverError(Reason.UNREACHABLE, "the folder at uri does not exist")
            self._database = await lancedb.connect_async(
                options.uri,
                api_key=read_optional(options, "api_key"),
                region=options.region,
                host_override=options.host,
                storage_options=options.storage_options or None,
                read_consistency_interval=timedelta(0),  # the next probe reads the latest writes of others
                client_config={"retry_config": dict.fromkeys(("retries", "connect_retries", "read_retries"), 0)},
            )
            self._table = await self._database.open_table(options.table)
        return self._table

    def _failure(self, error: Exception) -> RetrieverError:
        self._table = None
        words = str(error).lower()
        if "not found" in words and ("table" in words or "dataset" in words):
            return RetrieverError(Reason.REJECTED, f"unknown table {self._options.table}")
        reason = _reason_of(error, words)
        hint = ": check the credentials" if reason is Reason.UNAUTHORISED else ""
        return RetrieverError(reason, f"LanceDB: {type(error).__name__}{hint}")

    async def _disconnect(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = self._table = None


_REASONS = (
    (("unauthorized", "forbidden", "accessdenied", "invalidaccesskeyid", "signaturedoesnotmatch"), Reason.UNAUTHORISED),
    (("slowdown", "too many requests"), Reason.RATE_LIMITED),
    (("timed out", "timeout"), Reason.TIMEOUT),
    (("error sending request", "connect", "dns", "no such file", "not found"), Reason.UNREACHABLE),
)
"""Words in an error and the reason they indicate; for folders and object stores LanceDB raises built-in exceptions."""


def _reason_of(error: Exception, words: str) -> Reason:
    status = getattr(error, "status_code", None)  # set by LanceDB Cloud
    if isinstance(status, int):
        return transport.reason_of_status(status) or Reason.BROKEN
    if type(error).__name__ == "RetryError":
        return Reason.UNREACHABLE
    matches = (reason for patterns, reason in _REASONS if any(pattern in words for pattern in patterns))
    return next(matches, Reason.REJECTED)


def _is_missing(uri: str) -> bool:
    return "://" not in uri and not Path(uri).is_dir()


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

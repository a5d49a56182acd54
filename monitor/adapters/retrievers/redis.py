"""Talks to the vector search of Redis 8, or of Redis with the search module. Needs the extra ``redis``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from pydantic import Field, SecretStr

from monitor.adapters import optional_import
from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreOptions, VectorStoreRetriever, to_score
from monitor.errors import Reason, RetrieverError
from monitor.ports.targets import Vectors

_TYPES = {"FLOAT32": np.float32, "FLOAT64": np.float64, "FLOAT16": np.float16}
_DISTANCE = "_distance"
_REFUSED = {"AuthenticationError", "AuthenticationWrongNumberOfArgsError", "NoPermissionError"}


class RedisOptions(VectorStoreOptions):
    """Index to search, and how."""

    url: SecretStr = Field(repr=False)
    """``redis://user:${PASSWORD}@host:6379``, or ``rediss://`` with TLS."""
    index: str = Field(min_length=1)
    """Name of the search index."""
    id: str | None = None
    """Field with the document id; default: the key without ``prefix``."""
    prefix: str = ""
    """Prefix of keys that is not part of document ids."""
    vector: str = "embedding"
    """Vector attribute of the index."""
    filter: str = "*"
    """Filter in the syntax of Redis, for example ``@tenant:{seven}``."""
    search: dict[str, int | float | str] = Field(default_factory=dict)
    """Parameters of the index search, such as ``EF_RUNTIME: 64``; use those of the application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Description of an index."""

    is_json: bool
    identifier: str
    """Location of the vector in a document: a field of a hash, or a path in JSON."""
    dtype: str
    dimension: int
    metric: str


class RedisRetriever(VectorStoreRetriever):
    """Searches an index of Redis."""

    Options = RedisOptions
    client_library = ("redis", "redis")

    def __init__(self, options: RedisOptions) -> None:
        super().__init__(options)
        self._options = options
        self._client: Any = None
        self._index: Index | None = None

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        options, index = self._options, await self._describe()
        fields = [*options.fields, *([options.id] if options.id else []), _DISTANCE]
        parameters: dict[str, Any] = {"vector": vector.astype(_TYPES[index.dtype]).tobytes(), "k": k}
        tuning = "".join(f" {name} $tune_{name}" for name in options.search)
        parameters |= {f"tune_{name}": value for name, value in options.search.items()}
        condition = options.filter if options.filter == "*" else f"({options.filter})"
        reply = await self._open().execute_command(
            "FT.SEARCH",
            options.index,
            f"{condition}=>[KNN $k @{options.vector} $vector{tuning} AS {_DISTANCE}]",
            *("PARAMS", 2 * len(parameters), *(part for pair in parameters.items() for part in pair)),
            *("SORTBY", _DISTANCE, "ASC"),
            *("RETURN", len(fields), *fields),
            *("LIMIT", 0, k),
            *("DIALECT", 2),
        )
        return self._to_rows(reply, index)

    def _to_rows(self, reply: Any, index: Index) -> list[Row]:
        try:
            _, *items = reply
            rows = zip(items[::2], map(_as_texts, items[1::2]), strict=True)
            return [
                Row(
                    self._doc_id(key.decode(), fields),
                    to_score(float(fields[_DISTANCE]), index.metric),
                    self._typed(fields),
                )
                for key, fields in rows
            ]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RetrieverError(Reason.MALFORMED, "the reply is not from Redis search") from error

    def _doc_id(self, key: str, fields: Mapping[str, str]) -> str | None:
        return fields.get(self._options.id) if self._options.id else key.removeprefix(self._options.prefix)

    def _typed(self, fields: dict[str, str]) -> dict[str, Any]:
        """Convert the offsets to numbers; Redis returns all fields as text."""
        offsets = {name: int(fields[name]) for name in (self._options.start, self._options.end) if name in fields}
        return {**fields, **offsets}

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        if self._options.id:
            raise RetrieverError(Reason.REJECTED, "Redis finds stored vectors by key only, but id is set to a field")
        index, vectors = await self._describe(), {}
        for doc_id in doc_ids:
            key = self._options.prefix + doc_id
            if index.is_json:
                value = await self._open().execute_command("JSON.GET", key, index.identifier)
                vector = None if value is None else np.array(orjson.loads(value), dtype=np.float32).reshape(-1)
            else:
                value = await self._open().execute_command("HGET", key, index.identifier)
                vector = None if value is None else np.frombuffer(value, dtype=_TYPES[index.dtype]).astype(np.float32)
            if vector is not None:
                vectors[doc_id] = vector
        return vectors

    async def _index_dimension(self) -> int | None:
        self._index = None
        return (await self._describe()).dimension

    async def _describe(self) -> Index:
        if self._index is None:
            info = await self._open().execute_command("FT.INFO", self._options.index)
            self._index = _read_index(info, self._options)
        return self._index

    def _open(self) -> Any:
        if self._client is None:
            redis = optional_import.load("redis.asyncio", extra="redis")
            backoff = optional_import.load("redis.backoff", extra="redis")
            try:
                self._client = redis.Redis.from_url(
                    self._options.url.get_secret_value(),
                    protocol=2,
                    max_connections=self._options.concurrency,
                    retry=redis.retry.Retry(backoff.NoBackoff(), 0),  # only recallwatch retries probes
                    socket_timeout=None,
                    socket_connect_timeout=None,
                )
            except ValueError as error:
                raise RetrieverError(Reason.REJECTED, "url is not a Redis URL such as redis://host:6379") from error
        return self._client

    def _failure(self, error: Exception) -> RetrieverError:
        self._index = None
        return RetrieverError(*self._explain(error, str(error).lower()))

    def _explain(self, error: Exception, words: str) -> tuple[Reason, str]:
        kind = type(error).__name__
        if {kind, type(error.__cause__).__name__} & _REFUSED:  # while connecting, it is a cause
            return Reason.UNAUTHORISED, "Redis rejected the login: check the credentials"
        if kind in ("TimeoutError", "BusyLoadingError"):
            return Reason.UNREACHABLE, f"Redis: {kind}"
        if kind == "ConnectionError" or isinstance(error, OSError):
            return Reason.UNREACHABLE, f"no connection to Redis: {kind}"
        if "unknown command" in words:
            return Reason.REJECTED, "this Redis has no search: use Redis 8 or the search module"
        if "unknown index" in words or "no such index" in words or "index not found" in words:
            return Reason.REJECTED, f"unknown index {self._options.index}"
        return Reason.REJECTED, f"Redis rejected the search: {kind}"

    async def _disconnect(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()


def _read_index(reply: Any, options: RedisOptions) -> Index:
    """Read the vector attribute from a reply to FT.INFO."""
    info = _as_pairs(reply)
    attributes = [_as_pairs(attribute) for attribute in info.get("attributes", [])]
    vector = next((item for item in attributes if _text(item.get("attribute")) == options.vector), None)
    if vector is None or "dim" not in vector:
        raise RetrieverError(Reason.REJECTED, f"{options.index} has no vector attribute {options.vector}")
    dtype = _text(vector.get("data_type")).upper()
    if dtype not in _TYPES:
        raise RetrieverError(
            Reason.REJECTED, f"vectors of type {dtype} are not supported; supported types: {', '.join(_TYPES)}"
        )
    return Index(
        is_json=_text(_as_pairs(info.get("index_definition", [])).get("key_type")).upper() == "JSON",
        identifier=_text(vector["identifier"]),
        dtype=dtype,
        dimension=int(vector["dim"]),
        metric=_text(vector.get("distance_metric")).lower(),
    )


def _as_pairs(flat: Any) -> dict[str, Any]:
    """Convert a flat list of names and values to a mapping; a trailing flag without a value is dropped."""
    return {_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=False)}


def _as_texts(flat: Any) -> dict[str, str]:
    return {name: _text(value) for name, value in _as_pairs(flat).items()}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

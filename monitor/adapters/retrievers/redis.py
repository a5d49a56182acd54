"""A retriever on the vector search of Redis 8, or of Redis with the search module. Needs the extra ``redis``."""

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
    """Which index is searched, and how."""

    url: SecretStr = Field(repr=False)
    """``redis://user:${PASSWORD}@host:6379``, or ``rediss://`` with TLS."""
    index: str = Field(min_length=1)
    """Name of the search index."""
    id: str | None = None
    """Field with the document id; left out, the key is the id, without ``prefix``."""
    prefix: str = ""
    """What the keys of documents start with and their ids do not."""
    vector: str = "embedding"
    """Attribute of the index with the vectors."""
    filter: str = "*"
    """Condition that the documents must meet, as Redis writes it; ``@tenant:{seven}`` for example."""
    search: dict[str, int | float | str] = Field(default_factory=dict)
    """Parameters of the search in the index, such as ``EF_RUNTIME: 64``; as the application sets them."""


@dataclass(frozen=True, slots=True)
class Index:
    """What an index says about itself."""

    is_json: bool
    identifier: str
    """Where the vector is in a document: a field of a hash, or a path in JSON."""
    dtype: str
    dimension: int
    metric: str


class RedisRetriever(VectorStoreRetriever):
    """Searches an index of Redis."""

    Options = RedisOptions

    def __init__(self, options: RedisOptions) -> None:
        super().__init__(options)
        self._options = options
        self._client: Any = None
        self._index: Index | None = None

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        options, index = self._options, await self._describe()
        asked = [*options.fields, *([options.id] if options.id else []), _DISTANCE]
        parameters: dict[str, Any] = {"vector": vector.astype(_TYPES[index.dtype]).tobytes(), "k": k}
        tuning = "".join(f" {name} $tune_{name}" for name in options.search)
        parameters |= {f"tune_{name}": value for name, value in options.search.items()}
        condition = options.filter if options.filter == "*" else f"({options.filter})"
        found = await self._open().execute_command(
            "FT.SEARCH",
            options.index,
            f"{condition}=>[KNN $k @{options.vector} $vector{tuning} AS {_DISTANCE}]",
            *("PARAMS", 2 * len(parameters), *(part for pair in parameters.items() for part in pair)),
            *("SORTBY", _DISTANCE, "ASC"),
            *("RETURN", len(asked), *asked),
            *("LIMIT", 0, k),
            *("DIALECT", 2),
        )
        return self._read(found, index)

    def _read(self, found: Any, index: Index) -> list[Row]:
        try:
            _, *listed = found
            rows = zip(listed[::2], map(_as_texts, listed[1::2]), strict=True)
            return [
                Row(
                    self._doc_id(key.decode(), fields),
                    to_score(float(fields[_DISTANCE]), index.metric),
                    self._typed(fields),
                )
                for key, fields in rows
            ]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RetrieverError(Reason.MALFORMED, "the answer is not one of Redis search") from error

    def _doc_id(self, key: str, fields: Mapping[str, str]) -> str | None:
        return fields.get(self._options.id) if self._options.id else key.removeprefix(self._options.prefix)

    def _typed(self, fields: dict[str, str]) -> dict[str, Any]:
        """The fields with places as numbers: Redis tells everything as text."""
        places = {name: int(fields[name]) for name in (self._options.start, self._options.end) if name in fields}
        return {**fields, **places}

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        if self._options.id:
            raise RetrieverError(Reason.REJECTED, "Redis finds stored vectors by key, and id names a field")
        index, read = await self._describe(), {}
        for doc_id in doc_ids:
            key = self._options.prefix + doc_id
            if index.is_json:
                said = await self._open().execute_command("JSON.GET", key, index.identifier)
                found = None if said is None else np.array(orjson.loads(said), dtype=np.float32).reshape(-1)
            else:
                said = await self._open().execute_command("HGET", key, index.identifier)
                found = None if said is None else np.frombuffer(said, dtype=_TYPES[index.dtype]).astype(np.float32)
            if found is not None:
                read[doc_id] = found
        return read

    async def _held_dimension(self) -> int | None:
        self._index = None
        return (await self._describe()).dimension

    async def _describe(self) -> Index:
        if self._index is None:
            said = await self._open().execute_command("FT.INFO", self._options.index)
            self._index = _read_index(said, self._options)
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
                    retry=redis.retry.Retry(backoff.NoBackoff(), 0),  # a probe is sent again by recallwatch alone
                    socket_timeout=None,
                    socket_connect_timeout=None,
                )
            except ValueError as error:
                raise RetrieverError(Reason.REJECTED, "url is not a URL such as redis://host:6379") from error
        return self._client

    def _failure(self, error: Exception) -> RetrieverError:
        self._index = None
        return RetrieverError(*self._explain(error, str(error).lower()))

    def _explain(self, error: Exception, words: str) -> tuple[Reason, str]:
        kind = type(error).__name__
        if {kind, type(error.__cause__).__name__} & _REFUSED:  # refused while connecting, it is a cause
            return Reason.UNAUTHORISED, "Redis refused to log in: check the credentials"
        if kind in ("TimeoutError", "BusyLoadingError"):
            return Reason.UNREACHABLE, f"Redis: {kind}"
        if kind == "ConnectionError" or isinstance(error, OSError):
            return Reason.UNREACHABLE, f"no connection to Redis: {kind}"
        if "unknown command" in words:
            return Reason.REJECTED, "this Redis has no search: it takes Redis 8, or the search module"
        if "unknown index" in words or "no such index" in words or "index not found" in words:
            return Reason.REJECTED, f"no index is called {self._options.index}"
        return Reason.REJECTED, f"Redis refused the search: {kind}"

    async def _disconnect(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()


def _read_index(said: Any, options: RedisOptions) -> Index:
    """What FT.INFO says of the attribute with the vectors."""
    info = _as_pairs(said)
    attributes = [_as_pairs(each) for each in info.get("attributes", [])]
    found = next((each for each in attributes if _text(each.get("attribute")) == options.vector), None)
    if found is None or "dim" not in found:
        raise RetrieverError(Reason.REJECTED, f"{options.index} has no vectors called {options.vector}")
    dtype = _text(found.get("data_type")).upper()
    if dtype not in _TYPES:
        raise RetrieverError(
            Reason.REJECTED, f"vectors of type {dtype} are not supported; known are {', '.join(_TYPES)}"
        )
    return Index(
        is_json=_text(_as_pairs(info.get("index_definition", [])).get("key_type")).upper() == "JSON",
        identifier=_text(found["identifier"]),
        dtype=dtype,
        dimension=int(found["dim"]),
        metric=_text(found.get("distance_metric")).lower(),
    )


def _as_pairs(flat: Any) -> dict[str, Any]:
    """A flat list of names and values, which is how Redis tells a mapping; a flag without a value ends the list."""
    return {_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=False)}


def _as_texts(flat: Any) -> dict[str, str]:
    return {name: _text(value) for name, value in _as_pairs(flat).items()}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

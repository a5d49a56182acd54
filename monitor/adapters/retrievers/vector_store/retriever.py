"""Shared by all vector stores: embed a query, search the nearest documents, build a ranking.

An adapter implements the search and maps the exceptions of its client to reasons.
"""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, NamedTuple

from pydantic import Field, model_validator

from monitor.adapters import optional_import, registry
from monitor.adapters.retrievers.hits import Hits, RankingOptions, to_ranking
from monitor.config.config import Duration
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Embedder, Vectors

_LONGEST_MESSAGE = 300


class VectorStoreOptions(RankingOptions):
    """Options of every vector store."""

    embedder: dict[str, Any] = Field(repr=False)
    """Embedder of queries: ``kind`` is its adapter, the other keys are options of that adapter."""
    text: str | None = None
    """Field with the text of a chunk; matched with judged quotes and not stored."""
    document: str | None = None
    """Field with the source document of a chunk."""
    start: str | None = None
    """Field with the start of the chunk in its source document: offset of the first character, from 0."""
    end: str | None = None
    """Field with the end of the chunk in its source document: offset of the character after it."""
    deployment: str | None = None
    """Name of the deployment, such as the model version; a change is a swap."""
    corpus: str | None = None
    """Name of the corpus, such as the index version; runs with different corpora are not compared."""
    timeout: Duration = 10.0
    """Time limit for a probe, including embedding."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Maximum number of concurrent probes."""

    @model_validator(mode="after")
    def _embedder_is_valid(self) -> VectorStoreOptions:
        registry.resolve("embedder", self.embedder, where="embedder")
        return self

    @model_validator(mode="after")
    def _spans_are_complete(self) -> VectorStoreOptions:
        if (self.start is None) != (self.end is None) or (self.start is not None and self.document is None):
            raise ValueError("start and end must be set together, and need document")
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """All requested fields except the document id."""
        return tuple(dict.fromkeys(filter(None, (self.text, self.document, self.start, self.end))))


class Row(NamedTuple):
    """One hit of a store."""

    doc_id: Any
    score: Any
    fields: Mapping[str, Any]


class VectorStoreRetriever(ABC):
    """Embeds a query and searches a vector store. Raises only `RetrieverError`."""

    client_library: ClassVar[tuple[str, str] | None] = None
    """Module of the client library and its extra, imported before the time limit of the first probe starts."""

    def __init__(self, options: VectorStoreOptions) -> None:
        self.concurrency = options.concurrency
        self._shared = options
        self._embedder = build_embedder(options.embedder)
        self._slots = asyncio.Semaphore(options.concurrency)
        self._dimension: int | None = None

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        async with self._slot():
            (vector,) = await self._embed([query])
            await self._check_dimension(vector)
            rows = await self._search(vector, k)
        return self._to_ranking(rows, k)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of query texts."""
        async with self._slot():
            return await self._embed(texts)

    async def stored_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        """Return stored vectors by document id, without missing documents."""
        async with self._slot():
            return await self._load_vectors(doc_ids)

    async def close(self) -> None:
        """Close connections and free memory."""
        await self._embedder.close()
        await self._disconnect()

    @abstractmethod
    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        """Search the nearest documents, best first."""

    @abstractmethod
    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        """Load the stored vectors of documents, without missing documents."""

    @abstractmethod
    async def _index_dimension(self) -> int | None:
        """Return the dimension of the vectors in the index, or None if the store does not provide it."""

    @abstractmethod
    def _failure(self, error: Exception) -> RetrieverError:
        """Map an exception of the client to a reason, without its text: it may include credentials."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Close the connections; the next probe opens new ones."""

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Hold one of the ``concurrency`` slots, for at most the timeout."""
        async with self._slots:
            if self.client_library and self.client_library[0] not in sys.modules:
                module, extra = self.client_library
                await asyncio.to_thread(optional_import.load, module, extra=extra)
            try:
                async with asyncio.timeout(self._shared.timeout):
                    yield
            except RetrieverError:
                raise
            except TimeoutError as error:
                raise RetrieverError(Reason.TIMEOUT, f"no answer within {self._shared.timeout:g} s") from error
            except Exception as error:  # the clients have no common base class
                self._dimension = None  # the index may have been rebuilt
                raise self._failure(error) from error

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        try:
            return await self._embedder.embed(texts)
        except RetrieverError as error:
            detail = f"embedder: {error.detail}"
            raise RetrieverError(error.reason, detail, retry_after_s=error.retry_after_s) from error

    async def _check_dimension(self, vector: Vectors) -> None:
        if self._dimension == len(vector):
            return
        self._dimension = await self._index_dimension()
        if self._dimension is not None and self._dimension != len(vector):
            raise RetrieverError(Reason.REJECTED, dimension_mismatch(self._dimension, len(vector)))

    def _to_ranking(self, rows: Sequence[Row], k: int) -> Ranking:
        options = self._shared

        def column(name: str | None) -> list[Any] | None:
            return None if name is None else [row.fields.get(name) for row in rows]

        return to_ranking(
            Hits(
                doc_ids=[row.doc_id for row in rows],
                scores=[row.score for row in rows],
                documents=column(options.document),
                starts=column(options.start),
                ends=column(options.end),
                texts=column(options.text),
            ),
            k,
            options,
            deployment=options.deployment,
            corpus=options.corpus,
        )


def engine_message(error: Exception, secrets: Iterable[str]) -> str:
    """The first line of an engine's own message, without these secrets and of bounded length."""
    message = str(getattr(error, "message", "") or error).strip() or type(error).__name__
    line = message.splitlines()[0]
    for secret in secrets:
        for part in filter(None, (secret, *secret.split(":"))):
            line = line.replace(part, "…") if len(part) > 2 else line
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}…"


def dimension_mismatch(index_dimension: int, embedder_dimension: int) -> str:
    """Describe vectors of different dimensions."""
    return f"the index has vectors of {index_dimension} dimensions, the embedder returns {embedder_dimension}"


class NoEmbedder:
    """Placeholder for stores that search by words or embed queries themselves."""

    async def embed(self, texts: Sequence[str]) -> Vectors:  # noqa: ARG002 - required by the port
        """Raise RetrieverError: the vectors are unavailable."""
        raise RetrieverError(Reason.REJECTED, "the target has no embedder; set embedder")

    async def close(self) -> None:
        """Do nothing; there are no connections."""


def build_embedder(section: dict[str, Any]) -> Embedder:
    """Create the configured embedder, or a `NoEmbedder`."""
    embedder: Embedder = registry.resolve("embedder", section, where="embedder").build() if section else NoEmbedder()
    return embedder


def to_score(distance: float, metric: str) -> float:
    """Convert a distance to a score, higher is nearer: the cosine, or the negated distance for other metrics."""
    return 1.0 - distance if metric == "cosine" else -distance

"""What every vector store has in common: a query is embedded, its nearest documents are asked for, a ranking is made.

An adapter brings the search itself and says what the failures of its client mean.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from pydantic import Field, model_validator

from monitor.adapters import registry
from monitor.adapters.retrievers.hits import Hits, ShortRankings, to_ranking
from monitor.config.config import Duration, Section
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Embedder, Vectors


class VectorStoreOptions(Section):
    """What every vector store is told."""

    embedder: dict[str, Any] = Field(repr=False)
    """What turns queries into vectors: ``kind`` names the adapter, the other keys are the embedder's own."""
    text: str | None = None
    """Field with the text of a chunk: judged quotes are looked for in it, and it is not kept."""
    document: str | None = None
    """Field with the source document of a chunk."""
    start: str | None = None
    """Field that says where the chunk starts in its source document: characters, counted from 0 …"""
    end: str | None = None
    """… and where it ends, the first character after it."""
    deployment: str | None = None
    """What is served, such as the version of the model; when it changes, that is a swap."""
    corpus: str | None = None
    """What is searched, such as the version of the index; when it changes, nothing is compared."""
    timeout: Duration = 10.0
    """For a whole probe, embedding included."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Probes under way at once."""
    short_rankings: ShortRankings = "fail"
    """Whether fewer hits than asked for are a failure (``malformed``) or an answer."""

    @model_validator(mode="after")
    def _embedder_is_known(self) -> VectorStoreOptions:
        registry.resolve("embedder", self.embedder, where="embedder")
        return self

    @model_validator(mode="after")
    def _places_are_whole(self) -> VectorStoreOptions:
        if (self.start is None) != (self.end is None) or (self.start is not None and self.document is None):
            raise ValueError("start and end go together, and with document")
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are asked for besides the document id."""
        return tuple(dict.fromkeys(filter(None, (self.text, self.document, self.start, self.end))))


class Row(NamedTuple):
    """One hit as a store tells it."""

    doc_id: Any
    score: Any
    fields: Mapping[str, Any]


class VectorStoreRetriever(ABC):
    """Embeds a query and asks a vector store for what is nearest. Raises `RetrieverError` and nothing else."""

    def __init__(self, options: VectorStoreOptions) -> None:
        self.concurrency = options.concurrency
        self._stated = options
        self._embedder = build_embedder(options.embedder)
        self._turns = asyncio.Semaphore(options.concurrency)
        self._dimension: int | None = None

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        async with self._turn():
            (vector,) = await self._embed([query])
            await self._check_dimension(vector)
            rows = await self._search(vector, k)
        return self._to_ranking(rows, k)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors that it would search with."""
        async with self._turn():
            return await self._embed(texts)

    async def stored_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        """The vectors in the index; a document that is not there is left out."""
        async with self._turn():
            return await self._load_vectors(doc_ids)

    async def close(self) -> None:
        """Give back connections and memory."""
        await self._embedder.close()
        await self._disconnect()

    @abstractmethod
    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        """The nearest documents as the store tells them, best first."""

    @abstractmethod
    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        """The vectors of those documents that are there."""

    @abstractmethod
    async def _held_dimension(self) -> int | None:
        """The length of the vectors in the index, where the store knows it."""

    @abstractmethod
    def _failure(self, error: Exception) -> RetrieverError:
        """What an exception of the client means, without its text: it may carry credentials."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Give back connections; the next probe opens new ones."""

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of the turns that the target bears at once, for at most the timeout."""
        async with self._turns:
            try:
                async with asyncio.timeout(self._stated.timeout):
                    yield
            except RetrieverError:
                raise
            except TimeoutError as error:
                raise RetrieverError(Reason.TIMEOUT, f"no answer within {self._stated.timeout:g} s") from error
            except Exception as error:  # the clients share no root
                self._dimension = None  # the index may have been built anew
                raise self._failure(error) from error

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        try:
            return await self._embedder.embed(texts)
        except RetrieverError as error:
            told = f"the embedder: {error.detail}"
            raise RetrieverError(error.reason, told, retry_after_s=error.retry_after_s) from error

    async def _check_dimension(self, vector: Vectors) -> None:
        if self._dimension == len(vector):
            return
        self._dimension = await self._held_dimension()
        if self._dimension not in (None, len(vector)):
            told = f"the index holds vectors of {self._dimension} dimensions, the embedder makes {len(vector)}"
            raise RetrieverError(Reason.REJECTED, told)

    def _to_ranking(self, rows: Sequence[Row], k: int) -> Ranking:
        stated = self._stated

        def column(name: str | None) -> list[Any] | None:
            return None if name is None else [row.fields.get(name) for row in rows]

        return to_ranking(
            Hits(
                [row.doc_id for row in rows],
                [row.score for row in rows],
                column(stated.document),
                column(stated.start),
                column(stated.end),
                column(stated.text),
            ),
            k,
            short=stated.short_rankings,
            deployment=stated.deployment,
            corpus=stated.corpus,
        )


class NoEmbedder:
    """Stands in where a store is searched by words, or embeds queries itself."""

    async def embed(self, texts: Sequence[str]) -> Vectors:  # noqa: ARG002 - the port has it
        """Refuses: nothing is known of the vectors."""
        raise RetrieverError(Reason.REJECTED, "the target has no embedder; name one at embedder")

    async def close(self) -> None:
        """There is nothing to give back."""


def build_embedder(stated: dict[str, Any]) -> Embedder:
    """The embedder that the options name; one that refuses where they name none."""
    embedder: Embedder = registry.resolve("embedder", stated, where="embedder").build() if stated else NoEmbedder()
    return embedder


def to_score(distance: float, metric: str) -> float:
    """A score that is higher for what is nearer: a cosine distance becomes the cosine, any other changes its sign."""
    return 1.0 - distance if metric == "cosine" else -distance

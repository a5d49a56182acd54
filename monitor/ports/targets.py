"""What recallwatch needs from the outside, as protocols. Adapters fulfil them, one file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from monitor.model.alerts import Alert
from monitor.model.answers import Answer
from monitor.model.deployments import Swap
from monitor.model.runs import Ranking

Vectors: TypeAlias = NDArray[np.float32]
"""One vector a row."""


@runtime_checkable
class Retriever(Protocol):
    """A live retriever. Raises `RetrieverError` and nothing else."""

    concurrency: int

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        ...

    async def close(self) -> None:
        """Give back connections and memory."""
        ...


@runtime_checkable
class Seedable(Retriever, Protocol):
    """A retriever that can take documents into a namespace of its own. Raises ConfigError where it is not told how."""

    async def seed(self, documents: Sequence[Mapping[str, str]]) -> None:
        """Write documents, each with ``id``, ``title`` and ``text``, into the namespace that the target searches."""
        ...

    async def unseed(self) -> None:
        """Remove the namespace with all that is in it."""
        ...


class Embedder(Protocol):
    """What turns texts into vectors, as queries are turned. Raises `RetrieverError` and nothing else."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text, shape (n, d)."""
        ...

    async def close(self) -> None:
        """Give back connections and memory."""
        ...


@runtime_checkable
class VectorAccess(Retriever, Protocol):
    """A retriever whose vectors can be looked at. Raises `RetrieverError` and nothing else."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors that it would search with, shape (n, d)."""
        ...

    async def stored_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        """The vectors in the index, each of shape (d,); a document that is not there is left out."""
        ...


@runtime_checkable
class ExactSearch(VectorAccess, Protocol):
    """A retriever that can also search without its approximate index. Raises `RetrieverError` and nothing else."""

    async def search_exact(self, vector: Vectors, k: int) -> Ranking:
        """The ``k`` nearest documents of all, best first."""
        ...


class Answerer(Protocol):
    """A live RAG that answers. Raises `AnswererError` and nothing else."""

    concurrency: int
    takes_contexts: bool
    """Whether it can be given the contexts to answer from, so that retrieval and generation can be told apart."""

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """The answer to a query, from these texts alone where they are given."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class Judge(Protocol):
    """A language model that grades answers. Raises `JudgeError` and nothing else."""

    fingerprint: str
    """What identifies the ruler: model, rubric, settings. Grades of different rulers are never compared."""
    repeats: int
    """How often each answer is graded."""
    budget: int
    """Requests that may be made in a day."""
    concurrency: int

    async def grade(self, query: str, references: Sequence[str], answer: str) -> float:
        """One grade in [0, 1]."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class Notifier(Protocol):
    """A way to reach on-call. Raises `NotifierError` and nothing else."""

    async def notify(self, alert: Alert) -> None:
        """Deliver one alert; returning means it was accepted."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


@runtime_checkable
class ChangeListener(Protocol):
    """A notifier that can show a change on its timeline without paging anybody. Raises `NotifierError` only."""

    async def announce(self, swap: Swap) -> None:
        """Show that what a target serves has changed."""
        ...

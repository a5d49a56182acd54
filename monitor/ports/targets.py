"""Protocols of the external systems, which adapters implement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from monitor.model.alerts import Acknowledgement, Alert
from monitor.model.answers import Answer
from monitor.model.deployments import Swap
from monitor.model.runs import Ranking

Vectors: TypeAlias = NDArray[np.float32]
"""One vector in each row."""


@runtime_checkable
class Retriever(Protocol):
    """A live retriever. Raises `RetrieverError` and nothing else."""

    concurrency: int

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        ...

    async def close(self) -> None:
        """Release connections and memory."""
        ...


@runtime_checkable
class RawHits(Retriever, Protocol):
    """A retriever that can also return its hits before ids are read. Raises `RetrieverError` and nothing else."""

    async def raw_hits(self, query: str, k: int) -> Sequence[Any]:
        """The ``k`` best hits as the target returns them, best first."""
        ...


@runtime_checkable
class Seedable(Retriever, Protocol):
    """A retriever that can index documents in a separate namespace. Raises ConfigError if that is not configured."""

    async def seed(self, documents: Sequence[Mapping[str, str]]) -> None:
        """Write documents, each with ``id``, ``title`` and ``text``, into the namespace that the target searches."""
        ...

    async def unseed(self) -> None:
        """Remove the namespace with its documents."""
        ...


class Embedder(Protocol):
    """An embedding model for queries. Raises `RetrieverError` and nothing else."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text, shape (n, d)."""
        ...

    async def close(self) -> None:
        """Release connections and memory."""
        ...


@runtime_checkable
class VectorAccess(Retriever, Protocol):
    """A retriever with access to its vectors. Raises `RetrieverError` and nothing else."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The query vectors of these texts, shape (n, d)."""
        ...

    async def stored_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        """The vectors in the index, each of shape (d,); documents that are not in the index are left out."""
        ...


@runtime_checkable
class ExactSearch(VectorAccess, Protocol):
    """A retriever that can also search without its approximate index. Raises `RetrieverError` and nothing else."""

    async def search_exact(self, vector: Vectors, k: int) -> Ranking:
        """The exact ``k`` nearest documents, best first."""
        ...


class Answerer(Protocol):
    """The answering side of a live RAG. Raises `AnswererError` and nothing else."""

    concurrency: int
    takes_contexts: bool
    """Whether `answer` accepts contexts, which separates the effects of retrieval and generation."""
    needs_contexts: bool
    """Whether the answerer retrieves nothing by itself: each query needs the texts of the retrieved documents."""

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """The answer to a query, from ``contexts`` only if they are given."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class Judge(Protocol):
    """A language model that grades answers. Raises `JudgeError` and nothing else."""

    fingerprint: str
    """Identity of the judge: model, rubric, settings. Grades of different judges are never compared."""
    repeats: int
    """Number of grades of each answer."""
    budget: int
    """Maximum number of requests in a day."""
    concurrency: int

    reads_contexts: bool
    """Whether it grades an answer by its contexts instead of the references."""

    async def grade(self, query: str, references: Sequence[str], answer: str) -> float:
        """One grade in [0, 1]. ``references`` are the contexts of the answer, if the judge reads contexts."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class Notifier(Protocol):
    """A way to reach on-call. Raises `NotifierError` and nothing else."""

    async def notify(self, alert: Alert) -> str | None:
        """Deliver one alert; a return means that it was accepted.

        A service that can edit messages returns the id of this one; later alerts of the incident carry it as their
        ``receipt``.
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


@runtime_checkable
class ChangeListener(Protocol):
    """A notifier that can show a change on a timeline without a page. Raises `NotifierError` only."""

    async def announce(self, swap: Swap) -> None:
        """Show a change of the deployment of a target."""
        ...


@runtime_checkable
class AcknowledgementSource(Protocol):
    """Options of a notifier whose service reports acknowledgements. Raises `NotifierError` only."""

    def acknowledgement(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Acknowledgement | None:
        """The acknowledgement in a signed request of the service; None if the request is about something else."""
        ...

"""Answers of a live RAG, their sources and the grades of a judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.errors import Reason


@dataclass(frozen=True, slots=True)
class Grades:
    """The grades of one answer, one for each repeat of the judge."""

    judge: str
    """Fingerprint of the judge: model, rubric and settings."""
    scores: tuple[float, ...]
    """One score in [0, 1] for each repeat, in the order of the requests."""

    @property
    def mean(self) -> float:
        """Mean over the repeats."""
        return sum(self.scores) / len(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of a live RAG to one query."""

    text: str
    doc_ids: tuple[str, ...] | None = None
    """Ids of the contexts, in the order of the answerer; None if the answerer does not report them."""
    citations: tuple[str, ...] | None = None
    """Ids of the cited documents; None if the answerer does not report citations."""
    model: str | None = None
    """The model that wrote the answer, if the answerer reports it."""
    deployment: str | None = None
    """The deployment that the answerer reports."""
    contexts: tuple[str, ...] | None = field(default=None, compare=False, repr=False)
    """The texts that the answer was written from, if they are known; never stored."""
    tokens: Mapping[str, int] = field(default_factory=dict)
    """Number of ``prompt`` and ``completion`` tokens, if the answerer reports them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The result of one request for an answer: an answer or the reason of its failure, never both."""

    answer: Answer | None = None
    reason: Reason | None = None
    detail: str = ""
    duration_s: float = 0.0
    grades: Grades | None = None
    """None without a judge, or if its grade was unusable; the run counts the latter as ungraded."""
    ungraded: Reason | None = field(default=None, compare=False)
    """The reason why the judge gave no grade; not stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """Counts of the answers of a run: queries = scored + failed + unreferenced."""

    scored: int = 0
    failed: int = 0
    unreferenced: int = 0
    """Queries without a reference answer; no answer is requested for them."""
    abstained: int = 0
    """Number of scored answers that state that they do not know."""
    empty: int = 0
    """Number of scored answers without any content."""
    ungraded: int = 0
    """Number of scored answers without a usable grade, or beyond the budget of the judge."""
    ungraded_reasons: Mapping[Reason, int] = field(default_factory=dict, compare=False)
    """Their reasons; empty for a run that was loaded."""
    reasons: Mapping[Reason, int] = field(default_factory=dict)

    @property
    def coverage(self) -> float:
        """Scored over scored plus failed, in [0, 1]; 1 if no answers were requested."""
        requested = self.scored + self.failed
        return self.scored / requested if requested else 1.0

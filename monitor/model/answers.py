"""The nouns of answering: what a live RAG said, from what, and how a judge graded it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.errors import Reason


@dataclass(frozen=True, slots=True)
class Grades:
    """What a judge said of one answer, once for each time it was asked."""

    judge: str
    """Fingerprint of the judge: its model, its rubric and its settings."""
    scores: tuple[float, ...]
    """One score in [0, 1] for each repeat, in the order of asking."""

    @property
    def mean(self) -> float:
        """Mean over the repeats."""
        return sum(self.scores) / len(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a live RAG said to one query."""

    text: str
    doc_ids: tuple[str, ...] | None = None
    """Documents that it says it answered from, in its order; None where it does not say."""
    citations: tuple[str, ...] | None = None
    """Documents that it cites; None where it does not cite."""
    model: str | None = None
    """The model that it says wrote the answer."""
    deployment: str | None = None
    """What it says it is serving."""
    tokens: Mapping[str, int] = field(default_factory=dict)
    """``prompt`` and ``completion`` tokens, where it tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What asking for one answer brought: an answer or the reason why there is none, never both."""

    answer: Answer | None = None
    reason: Reason | None = None
    detail: str = ""
    duration_s: float = 0.0
    grades: Grades | None = None
    """None where no judge is asked, or it gave no usable grade; the count of those is kept with the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """Where each answer of a run went: asked = scored + failed + unreferenced."""

    scored: int = 0
    failed: int = 0
    unreferenced: int = 0
    """Queries without a reference answer: asked by nobody."""
    abstained: int = 0
    """Of those scored: it said that it does not know."""
    empty: int = 0
    """Of those scored: it said nothing at all."""
    ungraded: int = 0
    """Of those scored: the judge was asked and gave no usable grade, or its budget was spent."""
    reasons: Mapping[Reason, int] = field(default_factory=dict)

    @property
    def coverage(self) -> float:
        """Scored over scored plus failed, in [0, 1]; 1 where no answer was asked for."""
        asked = self.scored + self.failed
        return self.scored / asked if asked else 1.0

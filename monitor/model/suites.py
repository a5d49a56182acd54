"""Suites: queries, judgements and pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from monitor.model.passages import Passage


class Axis(StrEnum):
    """The two sides of the trade-off."""

    COMPOSITIONAL = "compositional"
    BROAD = "broad"


class Qrel(NamedTuple):
    """How relevant a document is to a query: 0 not, 1 or more relevant."""

    query_id: str
    doc_id: str
    grade: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question with the judgements of its results."""

    query_id: str
    text: str
    stratum: str
    cluster: str
    grades: Mapping[str, int] = field(default_factory=dict)
    """Document id to grade."""
    answers: tuple[str, ...] = ()
    """Reference answers; each of them is correct and complete."""
    answer_parts: tuple[tuple[str, ...], ...] = ()
    """The parts of a complete answer, each with its alternatives; empty if the answer has one part."""
    passages: tuple[Passage, ...] = ()
    style: str = ""
    """How users ask, such as ``keyword`` or ``identifier``; a second dimension beside the stratum, only reported."""
    follows: str = ""
    """The query of the previous hop in a chain: its answer replaces ``{answer}`` in the text."""

    @property
    def is_judged(self) -> bool:
        """Whether at least one document or passage is known to be relevant."""
        return any(grade > 0 for grade in self.grades.values()) or any(each.grade > 0 for each in self.passages)

    @property
    def qrels(self) -> tuple[Qrel, ...]:
        """The judgements in the form of TREC."""
        return tuple(Qrel(self.query_id, doc_id, grade) for doc_id, grade in self.grades.items())


@dataclass(frozen=True, slots=True)
class Pair:
    """A query with a document that satisfies it and a near-copy that violates it."""

    query_id: str
    satisfying_id: str
    violating_id: str
    mirror_id: str | None = None
    """The query that the violating document satisfies, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Versioned queries and judgements on one axis."""

    name: str
    version: str
    axis: Axis
    queries: tuple[Query, ...]
    pairs: tuple[Pair, ...] = ()
    controls: frozenset[str] = frozenset()
    """Strata that must not change when a model improves at structure (paraphrase, entity)."""
    digest: str = ""
    """SHA-256 over queries, judgements and pairs: the identity of the suite version."""
    corpus: str = field(default="", compare=False)
    """SHA-256 over the documents of the suite, if it has any; stored with each run."""
    depth: int = field(default=0, compare=False)
    """Minimum number of hits to request, for chunked corpora where ten hits are little text; stored with each run."""

    @property
    def strata(self) -> tuple[str, ...]:
        """Names of the strata in the order in which they first appear."""
        return tuple(dict.fromkeys(query.stratum for query in self.queries))

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the query styles in the order in which they first appear; empty without any."""
        return tuple(dict.fromkeys(query.style for query in self.queries if query.style))


STYLE = "style: "
"""Prefix of the names of strata that consist of the queries of one style, in all domains."""


def style_strata(suite: Suite) -> tuple[str, ...]:
    """Names of the strata of the second dimension; empty for a suite with fewer than two styles."""
    return tuple(STYLE + style for style in suite.styles) if len(suite.styles) > 1 else ()


def is_style(stratum: str) -> bool:
    """Whether a stratum is one of the second dimension. Its queries are in a stratum of the first one, too."""
    return stratum.startswith(STYLE)

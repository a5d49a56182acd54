"""The result of a generator: a query with its provenance, or the reason for a refusal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Refusal(NamedTuple):
    """Why no query was generated. Reasons are few and contain no text of the document."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A generated query before review."""

    kind: str
    text: str
    doc_id: str
    rule: str
    """The transformation that produced the query."""
    part: str = "text"
    """The field of the document that ``start`` and ``end`` refer to."""
    start: int = 0
    end: int = 0
    quote: str | None = None
    """The text from ``start`` to ``end`` if the passage is relevant; None if the whole document is."""
    answers: tuple[str, ...] = ()
    also: dict[str, Any] = field(default_factory=dict)
    """Further keys of the provenance."""

    @property
    def provenance(self) -> dict[str, Any]:
        """The origin of the query, for its metadata."""
        place = {"field": self.part, "start": self.start, "end": self.end}
        return {"kind": self.kind, "doc_id": self.doc_id, **place, "rule": self.rule, **self.also}

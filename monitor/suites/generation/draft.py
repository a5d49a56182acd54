"""What a generator makes: a query that knows where it comes from, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Refusal(NamedTuple):
    """Why nothing was made of a document or a sentence. Reasons are few and say nothing of the content."""

    reason: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A query that nobody has looked at yet."""

    kind: str
    text: str
    doc_id: str
    rule: str
    """What was done to the words of the document."""
    part: str = "text"
    """The field of the document that ``start`` and ``end`` count in."""
    start: int = 0
    end: int = 0
    quote: str | None = None
    """The words in that place, where they are what is relevant; None where the whole document is."""
    answers: tuple[str, ...] = ()
    also: dict[str, Any] = field(default_factory=dict)
    """What else its provenance tells."""

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the query comes from, for its metadata."""
        place = {"field": self.part, "start": self.start, "end": self.end}
        return {"kind": self.kind, "doc_id": self.doc_id, **place, "rule": self.rule, **self.also}

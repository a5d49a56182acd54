"""Judged passages: parts of source documents, independent of the chunks of a retriever."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class LabelState(StrEnum):
    """The state of a judgement in the index of a target."""

    VALID = "valid"
    RE_ANCHORABLE = "re_anchorable"
    """Not at its recorded place, but its words are elsewhere."""
    MERGED = "merged"
    """One chunk covers it and another judged passage of the query."""
    SPLIT = "split"
    """The border of a chunk cuts it."""
    ORPHANED = "orphaned"
    """Nothing covers it."""

    @property
    def is_usable(self) -> bool:
        """Whether the judgement is still valid."""
        return self not in (LabelState.RE_ANCHORABLE, LabelState.ORPHANED)


class Manner(StrEnum):
    """How a quote was found in the text of a hit."""

    EXACT = "exact"
    NORMALISED = "normalised"
    CUT = "cut"
    """A part of it, at the border of the text."""
    FUZZY = "fuzzy"


class Passage(NamedTuple):
    """A judged part of a source document, given by its place, its words, or both."""

    grade: int
    doc_id: str | None = None
    start: int | None = None
    end: int | None = None
    """Characters [start, end) of the text of the source document."""
    quote: str | None = None

    @property
    def name(self) -> str:
        """The place, for messages; the text of a quote without a place is left out."""
        place = f"[{self.start}:{self.end}]" if self.start is not None else ""
        return f"{self.doc_id}{place}" if self.doc_id else "a quoted passage"


class Quoted(NamedTuple):
    """A part of a judged quote that the text of a hit contains."""

    hit: int
    """Index of the hit in the ranking."""
    passage: int
    """Index of the passage in its query."""
    start: int
    end: int
    """Characters [start, end) of the normalised quote."""
    length: int
    """Characters of the whole normalised quote."""
    manner: Manner


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the text of each hit comes from, in parallel to the hits of a ranking."""

    doc_ids: tuple[str, ...] | None = None
    starts: tuple[int, ...] | None = None
    ends: tuple[int, ...] | None = None
    quoted: tuple[Quoted, ...] | None = None
    """Parts of the judged quotes in the texts of the hits; None if the target returns no texts."""

"""The nouns of judging by passage: a piece of a source document, wherever the chunks of a retriever cut it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class LabelState(StrEnum):
    """What became of a judgement in the index of a target."""

    VALID = "valid"
    RE_ANCHORABLE = "re_anchorable"
    """Not where it was said to be, but its words are found elsewhere."""
    MERGED = "merged"
    """One chunk covers it together with another judged passage of the query."""
    SPLIT = "split"
    """The border of a chunk cuts it."""
    ORPHANED = "orphaned"
    """Nothing covers it."""

    @property
    def is_usable(self) -> bool:
        """Whether the judgement still says what it said."""
        return self not in (LabelState.RE_ANCHORABLE, LabelState.ORPHANED)


class Manner(StrEnum):
    """How a quote was found in the text of a hit."""

    EXACT = "exact"
    NORMALISED = "normalised"
    CUT = "cut"
    """A part of it, at the border of the text."""
    FUZZY = "fuzzy"


class Passage(NamedTuple):
    """A judged piece of a source document, by its place, by its words, or by both."""

    grade: int
    doc_id: str | None = None
    start: int | None = None
    end: int | None = None
    """Characters [start, end) of the text of the source document."""
    quote: str | None = None

    @property
    def name(self) -> str:
        """Where it stands, for people; a quote without a place is not repeated."""
        place = f"[{self.start}:{self.end}]" if self.start is not None else ""
        return f"{self.doc_id}{place}" if self.doc_id else "a quoted passage"


class Quoted(NamedTuple):
    """A part of a judged quote that stands in the text of a hit."""

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
    """What the texts of the hits quote of the judged passages; None where no text was told."""

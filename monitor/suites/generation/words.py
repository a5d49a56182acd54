"""Rule-based words and sentences of a text, with their offsets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_BORDER = re.compile(r"[.!?]+[\"”’)]*(?=\s+[\"“(]?[A-Z0-9])|\n\s*\n|\n(?=\s*[-*•#])")
_ABBREVIATED = re.compile(
    r"\b(?:[A-Z]|[A-Za-z]\.[A-Za-z]|Mrs?|Ms|Dr|Prof|St|Nos?|Art|Sec|vs|cf|etc|approx|Fig|Inc|Ltd|Co)\.$"
)


def listed(words: str) -> frozenset[str]:
    """The words of a string, separated by white space."""
    return frozenset(words.split())


FUNCTION_WORDS = listed(
    """
    a about above after again against all also am an and any are as at be because been before being below between both
    but by can could did do does doing down during each either else few for from further had has have having he her here
    hers him his how however i if in into is it its itself just may me might more most must my neither no nor not of off
    on once only or other our ours out over own per same shall she should so some such than that the their theirs them
    then there these they this those through thus to too under until up upon us very via was we were what when where
    which while who whom whose why will with within without would you your yours
    """
)
"""English words with a grammatical role and little meaning of their own."""


class Word(NamedTuple):
    """A word and its start; ``term`` is its form for counting."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset of the first character after the word."""
        return self.start + len(self.text)

    @property
    def term(self) -> str:
        """The word with its case folded."""
        return self.text.casefold()

    @property
    def is_function_word(self) -> bool:
        """Whether the word is in FUNCTION_WORDS."""
        return self.term in FUNCTION_WORDS


class Stretch(NamedTuple):
    """A part of a text by its character offsets."""

    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """The words in order."""
    return [Word(match.group(), match.start()) for match in _WORD.finditer(text)]


def sentences_of(text: str) -> Iterator[Stretch]:
    """The sentences in order, without surrounding white space."""
    start = 0
    for border in _BORDER.finditer(text):
        if _ABBREVIATED.search(text, start, border.end()):
            continue
        yield from _trimmed(text, start, border.end())
        start = border.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[Stretch]:
    part = text[start:end]
    if part.strip():
        yield Stretch(start + len(part) - len(part.lstrip()), start + len(part.rstrip()))

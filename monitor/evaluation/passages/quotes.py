"""Judged quotes in the texts of hits: exact, else normalised, else in part at the border of a chunk, else fuzzy."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from monitor.model.passages import Manner, Passage, Quoted, Sources
from monitor.model.runs import Ranking

FUZZY_SHARE = 0.75
"""A quote is found fuzzily where this share of its pairs of neighbouring words stands in the text, and at least two of
its three longest words."""
FUZZY_WORDS = 6
"""A shorter quote is never found fuzzily: one changed word would leave too little of it."""
LEAST_PART = 8
"""Characters. A shorter part of a quote at the border of a chunk shows nothing."""

_WORD = re.compile(r"[^\W_]+")
_ASCII_BREAKS = {code: " " for code in range(128) if not chr(code).isalnum()}


def look_for_quotes(ranking: Ranking, passages: Sequence[Passage]) -> Ranking:
    """The ranking with what its texts quote of the passages, and without the texts."""
    texts = ranking.texts
    if texts is None:
        return ranking
    sources = ranking.sources
    quotes = [(number, passage.quote) for number, passage in enumerate(passages) if passage.quote is not None]
    if quotes:
        normalised = list(map(normalise, texts))
        quoted = tuple(found for number, quote in quotes for found in _find(number, quote, texts, normalised))
        sources = replace(sources or Sources(), quoted=quoted)
    return replace(ranking, texts=None, sources=sources)


@lru_cache(maxsize=8_192)
def normalise(text: str) -> str:
    r"""The words of a text, case folded and in Unicode's form NFKC, with one space between them.

    Examples
    --------
    >>> normalise("“Ｎo refunds” — after\n30 days!")
    'no refunds after 30 days'
    """
    if text.isascii():
        return " ".join(text.lower().translate(_ASCII_BREAKS).split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_WORD.findall(folded))


def _find(number: int, quote: str, texts: Sequence[str], normalised: Sequence[str]) -> list[Quoted]:
    """Where a quote stands; what is found strictly anywhere in the ranking is not looked for roughly."""
    wanted = normalise(quote)
    length, head, tail = len(wanted), wanted[:LEAST_PART], wanted[-LEAST_PART:]
    found: list[Quoted] = []
    for hit, text in enumerate(normalised):
        if wanted in text:
            manner = Manner.EXACT if quote in texts[hit] else Manner.NORMALISED
            found.append(Quoted(hit, number, 0, length, length, manner))
        elif head in text or tail in text or len(text) < length:
            found += [Quoted(hit, number, start, end, length, Manner.CUT) for start, end in _parts(wanted, text)]
    if 2 * sum(each.end - each.start for each in found) >= length:
        return found
    rough = (hit for hit, text in enumerate(normalised) if is_like(wanted, text))
    return found + [Quoted(hit, number, 0, length, length, Manner.FUZZY) for hit in rough]


def _parts(wanted: str, text: str) -> Iterator[tuple[int, int]]:
    """The head of the quote at the end of the text, its tail at the beginning, or the whole text within the quote."""
    if LEAST_PART <= len(text) < len(wanted) and text in wanted:
        yield wanted.index(text), wanted.index(text) + len(text)
        return
    if len(wanted) < LEAST_PART:
        return
    head, tail = wanted[:LEAST_PART], wanted[-LEAST_PART:]
    at = text.find(head, max(0, len(text) - len(wanted)))
    while at >= 0:
        if wanted.startswith(text[at:]):
            yield 0, len(text) - at
            break
        at = text.find(head, at + 1)
    at = text.rfind(tail, 0, len(wanted))
    while at >= 0:
        if wanted.endswith(text[: at + LEAST_PART]):
            yield len(wanted) - at - LEAST_PART, len(wanted)
            break
        at = text.rfind(tail, 0, at + LEAST_PART - 1)


def is_like(wanted: str, text: str) -> bool:
    """Whether enough pairs of neighbouring words of a normalised quote stand in a normalised text.

    Pairs keep the order of words: who did what to whom is not lost in a bag of words.

    Examples
    --------
    >>> is_like("the vendor must refund the buyer within ten days", "vendor must refund the buyer within ten days")
    True
    >>> is_like("the vendor must refund the buyer within ten days", "the buyer must refund the vendor after ten days")
    False
    """
    words, pairs, longest = _taken_apart(wanted)
    # Two of the three longest rule out nearly every text before its words are taken apart.
    if words < FUZZY_WORDS or sum([word in text for word in longest]) < len(longest) - 1:
        return False
    return len(pairs.intersection(pairwise(text.split()))) >= FUZZY_SHARE * len(pairs)


@lru_cache(maxsize=1_024)
def _taken_apart(wanted: str) -> tuple[int, frozenset[tuple[str, str]], tuple[str, ...]]:
    """The number of words, their pairs, and the three longest."""
    words = wanted.split()
    return len(words), frozenset(pairwise(words)), tuple(sorted(set(words), key=len)[-3:])

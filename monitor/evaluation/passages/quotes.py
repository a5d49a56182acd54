"""Search for judged quotes in the texts of hits: exact, normalised, in part at the border of a chunk, or fuzzy."""

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
"""A fuzzy match needs this share of the pairs of neighbouring words of the quote in the text, and at least two of its
three longest words."""
FUZZY_WORDS = 6
"""A shorter quote has no fuzzy match: one changed word would leave too little of it."""
LEAST_PART = 8
"""Characters. A shorter part of a quote at the border of a chunk is no evidence."""

_WORD = re.compile(r"[^\W_]+")
_ASCII_BREAKS = {code: " " for code in range(128) if not chr(code).isalnum()}


def look_for_quotes(ranking: Ranking, passages: Sequence[Passage]) -> Ranking:
    """The ranking with the parts of the quotes in its texts, and without the texts."""
    texts = ranking.texts
    if texts is None:
        return ranking
    sources = ranking.sources
    quotes = [(number, passage.quote) for number, passage in enumerate(passages) if passage.quote is not None]
    if quotes:
        normalised = list(map(normalise, texts))
        quoted = tuple(part for number, quote in quotes for part in _find(number, quote, texts, normalised))
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
    """The parts of a quote in the texts. Fuzzy matches count only if strict ones cover less than half of the quote."""
    words = normalise(quote)
    length, head, tail = len(words), words[:LEAST_PART], words[-LEAST_PART:]
    matches: list[Quoted] = []
    for hit, text in enumerate(normalised):
        if words in text:
            manner = Manner.EXACT if quote in texts[hit] else Manner.NORMALISED
            matches.append(Quoted(hit, number, 0, length, length, manner))
        elif head in text or tail in text or len(text) < length:
            matches += [Quoted(hit, number, start, end, length, Manner.CUT) for start, end in _parts(words, text)]
    if 2 * sum(match.end - match.start for match in matches) >= length:
        return matches
    fuzzy_hits = (hit for hit, text in enumerate(normalised) if is_like(words, text))
    return matches + [Quoted(hit, number, 0, length, length, Manner.FUZZY) for hit in fuzzy_hits]


def _parts(quote: str, text: str) -> Iterator[tuple[int, int]]:
    """The head of the quote at the end of the text, its tail at the beginning, or the whole text within the quote."""
    if LEAST_PART <= len(text) < len(quote) and text in quote:
        yield quote.index(text), quote.index(text) + len(text)
        return
    if len(quote) < LEAST_PART:
        return
    head, tail = quote[:LEAST_PART], quote[-LEAST_PART:]
    at = text.find(head, max(0, len(text) - len(quote)))
    while at >= 0:
        if quote.startswith(text[at:]):
            yield 0, len(text) - at
            break
        at = text.find(head, at + 1)
    at = text.rfind(tail, 0, len(quote))
    while at >= 0:
        if quote.endswith(text[: at + LEAST_PART]):
            yield len(quote) - at - LEAST_PART, len(quote)
            break
        at = text.rfind(tail, 0, at + LEAST_PART - 1)


def is_like(quote: str, text: str) -> bool:
    """Whether a normalised text contains enough pairs of neighbouring words of a normalised quote.

    Pairs preserve the order of words, so that swapped roles do not match.

    Examples
    --------
    >>> is_like("the vendor must refund the buyer within ten days", "vendor must refund the buyer within ten days")
    True
    >>> is_like("the vendor must refund the buyer within ten days", "the buyer must refund the vendor after ten days")
    False
    """
    words, pairs, longest = _split(quote)
    # The three longest words exclude nearly every text before it is split into words.
    if words < FUZZY_WORDS or sum([word in text for word in longest]) < len(longest) - 1:
        return False
    return len(pairs.intersection(pairwise(text.split()))) >= FUZZY_SHARE * len(pairs)


@lru_cache(maxsize=1_024)
def _split(quote: str) -> tuple[int, frozenset[tuple[str, str]], tuple[str, ...]]:
    """The number of words, their pairs, and the three longest."""
    words = quote.split()
    return len(words), frozenset(pairwise(words)), tuple(sorted(set(words), key=len)[-3:])

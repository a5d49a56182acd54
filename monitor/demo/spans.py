"""Candidate answer spans of a sentence, and the kind of answer that a question needs. Rules, no model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

NUMBER, DATE, NAME, PHRASE = "number", "date", "name", "phrase"
"""Kinds of spans, and of answers that questions need …"""
ANYTHING = "anything"
"""… for keywords, and for questions answered by yes or no."""

LONGEST = 6
"""The largest number of words of a span, except one that joins two runs."""

_WORD = re.compile(r"[$€£¥]?[^\W_]+(?:[.,'’\-–/:°][^\W_]+)*[%°½]?")
_BREAK = re.compile(r"[,;:()\[\]—“”\"!?]|\.\s|\s[–-]\s")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_STOP = _listed("""
    a an the this that these those it its he she they them his her their we us our you your i my is are was were be been
    being has have had do does did will would can could may might must shall should not no nor and or but if of in on at
    by for from to into with without within as than then so such which who whom whose what when where why how while
    during after before between among over under about against through because there here also only just more most very
    many much some any all each both other another same own out up down off since until upon per via however although
    though thus therefore once well even still yet too one's
""")
_VERB = re.compile(r"^[a-z]\w*(?:ed|ly)$|^(?:made|became|become|came|called|known|used)$")
_JOINING = frozenset({"of", "and", "the", "de", "von", "van", "for", "in", "to", "or", "&", "'s"})
_DIGITS = re.compile(r"\d")
_COUNTS = _listed("""
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion half third
    quarter dozen double twice first second fourth fifth
""")
_MONTHS = _listed("""
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
""")
_YEAR = re.compile(r"(?:1[0-9]|20)\d\ds?$|\d+(?:st|nd|rd|th)$|\d{4}[–-]\d{2,4}$")
_DATE_WORDS = _listed("century centuries bc ad bce ce early late mid of and the")

_KINDS = (
    (DATE, re.compile(r"\b(?:when|(?:what|which|in what) (?:\w+ )?(?:year|date|day|month|decade|century|era))\b")),
    (
        NUMBER,
        re.compile(
            r"\bhow (?:many|much|old|long|far|tall|large|big|often|high|fast|deep|wide|heavy|late|early|soon|hot)\b"
            r"|\b(?:what|which) (?:\w+ ){0,2}(?:number|percent\w*|age|share|score|amount|size|population|proportion|"
            r"dose|fraction|price|fee|rate|limit|temperature|distance|length|weight|height|speed|cost|total)\b"
        ),
    ),
    (NAME, re.compile(r"\b(?:who|whom|whose|where)\b")),
    (
        NAME,
        re.compile(
            r"\b(?:what|which) (?:\w+ ){0,2}(?:city|country|state|person|player|team|company|university|river|name|"
            r"nation|school|county|region|station|author|scientist|president|king|language|organi[sz]ation|group)\b"
        ),
    ),
)
_ASKS = re.compile(r"\b(?:what|which|how|why)\b")
_ENDINGS = re.compile(r"(?:ing|edly|ed|ies|es|s|ly|ation|ions?|'s|’s|ment|er|ers|al|ity)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Consecutive words of a sentence that could be an answer."""

    text: str
    first: int
    last: int
    """Positions of its first and final word in the sentence."""
    kind: str
    stems: tuple[str, ...]
    cut: tuple[str, ...]
    """Stems of adjacent words of the same run that are not in the span."""
    shape: float
    """The score of its form as an answer to any question."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A parsed sentence."""

    text: str
    places: dict[str, tuple[int, ...]]
    """Stem → positions of its words."""
    spans: tuple[Span, ...]


def kind_of_answer(question: str) -> str:
    """The kind of answer that a question needs.

    >>> kind_of_answer("How many sacks did he have?"), kind_of_answer("Who won?"), kind_of_answer("How is it made?")
    ('number', 'name', 'phrase')
    """
    lowered = question.lower()
    otherwise = PHRASE if _ASKS.search(lowered) else ANYTHING
    return next((kind for kind, pattern in _KINDS if pattern.search(lowered)), otherwise)


def stem(word: str) -> str:
    """A word without its ending, approximately.

    >>> stem("registered"), stem("registers"), stem("Was")
    ('regist', 'regist', 'was')
    """
    lowered = word.lower()
    if len(lowered) <= 4 or not lowered.isalpha():
        return lowered.removesuffix("'s").removesuffix("’s")
    while len(shorter := _ENDINGS.sub("", lowered)) >= 4 and shorter != lowered:
        lowered = shorter
    return lowered.rstrip("ei") if len(lowered) > 5 else lowered


@lru_cache(maxsize=65_536)
def content_stems(text: str) -> frozenset[str]:
    """Stems of the content words."""
    return frozenset(stem(word) for word in _WORD.findall(text) if word.lower() not in _STOP)


@lru_cache(maxsize=65_536)
def parse(text: str) -> Sentence:
    """The sentence with every span that could be an answer."""
    matches = list(_WORD.finditer(text))
    tokens = [match[0] for match in matches]
    stems = [stem(token) for token in tokens]
    apart = [bool(_BREAK.search(text, left.end(), right.start())) for left, right in pairwise(matches)]
    places: dict[str, tuple[int, ...]] = {}
    for place, word_stem in enumerate(stems):
        places[word_stem] = (*places.get(word_stem, ()), place)
    spans = []
    for first, last, run in _ranges(tokens, apart):
        within = tokens[first : last + 1]
        cut = tuple(stems[place] for place in (first - 1, last + 1) if run[0] <= place <= run[1])
        inside = tuple(stems[place] for place in range(first, last + 1) if tokens[place].lower() not in _STOP)
        words, kind = text[matches[first].start() : matches[last].end()], _kind(within, first)
        spans.append(
            Span(text=words, first=first, last=last, kind=kind, stems=inside, cut=cut, shape=_shape(within, kind))
        )
    return Sentence(text, places, tuple(spans))


def _ranges(tokens: list[str], apart: list[bool]) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """The first and final position of each span, and of the run of content words that contains it."""
    runs = list(_runs(tokens, apart))
    for run in runs:
        for first in range(run[0], run[1] + 1):
            for last in range(first, min(run[1], first + LONGEST - 1) + 1):
                yield first, last, run
    for left, right in pairwise(runs):
        between = range(left[1] + 1, right[0])
        joined = len(between) in (1, 2) and all(tokens[place].lower() in _JOINING for place in between)
        if joined and not any(apart[left[1] : right[0]]):
            for first in range(max(left[0], left[1] - 2), left[1] + 1):
                yield first, right[1], (left[0], right[1])


def _runs(tokens: list[str], apart: list[bool]) -> Iterator[tuple[int, int]]:
    first = None
    for place, token in enumerate(tokens):
        if token.lower() in _STOP:
            if first is not None:
                yield first, place - 1
            first = None
            continue
        first = place if first is None else first
        if place < len(apart) and apart[place]:
            yield first, place
            first = None
    if first is not None:
        yield first, len(tokens) - 1


def _kind(tokens: list[str], first: int) -> str:
    lowered = [token.lower() for token in tokens]
    if all(map(_is_of_a_date, lowered)) and any(_YEAR.match(each) or each in _MONTHS for each in lowered):
        return DATE
    if _is_count(lowered[0]):
        return NUMBER if len(tokens) <= 3 else PHRASE
    if tokens[0][0].isupper() and tokens[-1][0].isupper() and (first or len(tokens) > 1):
        return NAME
    return PHRASE


def _shape(tokens: list[str], kind: str) -> float:
    """Answers rarely begin or end with a verb or an adverb, and rarely are one common word."""
    verbs = 0.84 * bool(_VERB.search(tokens[-1])) + 0.2 * bool(_VERB.search(tokens[0]))
    return 0.03 * min(len(tokens), 4) - verbs - 0.28 * (kind == PHRASE and len(tokens) == 1)


def _is_of_a_date(word: str) -> bool:
    return bool(_DIGITS.search(word)) or word in _MONTHS or word in _DATE_WORDS


def _is_count(word: str) -> bool:
    return bool(_DIGITS.search(word)) or word in _COUNTS

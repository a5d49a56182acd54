"""The words of an answer, in the two forms that the scorers compare: SQuAD's, and ROUGE's.

Both start from Unicode's form NFC, so that a letter typed in two ways is one letter. Each is made once for a text and
kept for a while; a text longer than `LONGEST_KEPT` is made anew each time, so that a few runaway answers cannot fill
the memory.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

LONGEST_KEPT = 4_096
"""Characters."""
N_KEPT = 4_096
"""Texts; with the longest of them, some tens of megabytes for each form."""

Made = TypeVar("Made")

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_APOSTROPHES = str.maketrans("’ʼ`", "'''")
_WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts that put no space between words, by the first word of Unicode's names of their letters."""


def kept(make: Callable[[str], Made]) -> Callable[[str], Made]:
    """The same function, which remembers what it made of short texts."""
    cached = lru_cache(maxsize=N_KEPT)(make)

    @wraps(make)
    def remembering(text: str) -> Made:
        return cached(text) if len(text) <= LONGEST_KEPT else make(text)

    return remembering


def lowered(text: str) -> str:
    """A text in NFC and lower case, with one kind of apostrophe."""
    return unicodedata.normalize("NFC", text).lower().translate(_APOSTROPHES)


@kept
def normalise(text: str) -> str:
    """A text in NFC and then as SQuAD v1.1 normalises it: lower case, no ASCII punctuation, no articles, one space.

    Letters of every script stay.

    References
    ----------
    Rajpurkar et al. 2016, evaluate-v1.1.py.

    Examples
    --------
    >>> normalise("The  Denver Broncos!")
    'denver broncos'
    """
    without_punctuation = unicodedata.normalize("NFC", text).lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLE.sub(" ", without_punctuation).split())


@kept
def bag(text: str) -> Counter[str]:
    """How often each word of a text occurs, as SQuAD normalises it."""
    return Counter(normalise(text).split())


@kept
def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, as rouge-score cuts ASCII text; where a script has no spaces, its letters.

    Examples
    --------
    >>> words("A well-known café: 東京")
    ('a', 'well', 'known', 'café', '東', '京')
    """
    return tuple(cut(unicodedata.normalize("NFC", text).lower()))


@kept
def phrase(text: str) -> str:
    """The words of SQuAD's normal form with a space around each, so that a phrase is found in another as it stands.

    Examples
    --------
    >>> phrase("art") in phrase("The state of the art!"), phrase("art") in phrase("a party")
    (True, False)
    """
    return f" {' '.join(cut(normalise(text)))} "


def cut(text: str) -> list[str]:
    """A text cut at everything that is no letter, mark or number, and around letters of scripts without spaces."""
    return text.translate(_CUTS).split()


class _Cuts(dict[int, str]):
    """What takes the place of each character, learnt as the texts bring them."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if unicodedata.category(character)[0] not in "LMN":
            place = " "
        elif unicodedata.name(character, "").startswith(_WITHOUT_SPACES):
            place = f" {character} "
        else:
            place = character
        self[code] = place
        return place


_CUTS = _Cuts()

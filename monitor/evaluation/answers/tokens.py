"""The words of an answer, in the forms of SQuAD and of ROUGE.

Both start from Unicode's form NFC, so that equal letters with different encodings are equal. Results are cached by
text; texts longer than `LONGEST_CACHED` are not, so that a few runaway answers cannot fill the memory.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

LONGEST_CACHED = 4_096
"""Characters."""
N_CACHED = 4_096
"""Texts; at most some tens of megabytes for each form."""

Result = TypeVar("Result")

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_APOSTROPHES = str.maketrans("’ʼ`", "'''")
_WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts without spaces between words, by the first word of the Unicode names of their letters."""


def cached(function: Callable[[str], Result]) -> Callable[[str], Result]:
    """The same function with a cache for short texts."""
    cached_function = lru_cache(maxsize=N_CACHED)(function)

    @wraps(function)
    def call(text: str) -> Result:
        return cached_function(text) if len(text) <= LONGEST_CACHED else function(text)

    return call


def lowered(text: str) -> str:
    """A text in NFC and lower case, with one kind of apostrophe."""
    return unicodedata.normalize("NFC", text).lower().translate(_APOSTROPHES)


@cached
def normalise(text: str) -> str:
    """A text in NFC with the normalisation of SQuAD v1.1: lower case, no ASCII punctuation or articles, single spaces.

    Letters of all scripts are kept.

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


@cached
def bag(text: str) -> Counter[str]:
    """Number of occurrences of each word in the normal form of SQuAD."""
    return Counter(normalise(text).split())


@cached
def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, as rouge-score splits ASCII text; in scripts without spaces, the letters.

    Examples
    --------
    >>> words("A well-known café: 東京")
    ('a', 'well', 'known', 'café', '東', '京')
    """
    return tuple(cut(unicodedata.normalize("NFC", text).lower()))


@cached
def phrase(text: str) -> str:
    """The words of the normal form of SQuAD with spaces around, so that only whole words match as a substring.

    Examples
    --------
    >>> phrase("art") in phrase("The state of the art!"), phrase("art") in phrase("a party")
    (True, False)
    """
    return f" {' '.join(cut(normalise(text)))} "


def cut(text: str) -> list[str]:
    """A text split at all characters but letters, marks and numbers, and around letters of scripts without spaces."""
    return text.translate(_CUTS).split()


class _Cuts(dict[int, str]):
    """The replacement of each character, computed at its first use."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if unicodedata.category(character)[0] not in "LMN":
            replacement = " "
        elif unicodedata.name(character, "").startswith(_WITHOUT_SPACES):
            replacement = f" {character} "
        else:
            replacement = character
        self[code] = replacement
        return replacement


_CUTS = _Cuts()

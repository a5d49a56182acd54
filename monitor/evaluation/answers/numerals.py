"""Numbers as people write them in running text: spelled out, with thousands separators, with a scale word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_UP_TO_NINETEEN = """
zero one two three four five six seven eight nine
ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(re.findall(r"\w+", _UP_TO_NINETEEN))}
_SMALL |= {word: 10 * tens for tens, word in enumerate(re.findall(r"\w+", _TENS), 2)}
_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12,
    "lakh": 1e5, "crore": 1e7,
}  # fmt: skip
_LETTERS = {"k": 1e3, "m": 1e6, "b": 1e9}
"""Scales written as a letter: k at any number, the others only after the sign of a currency."""

_LONGEST_SPELLED = 12
"""Words after the first that are read as one number."""
_SPELLED_SCALE = "hundred|thousand|million|billion|trillion"
_SPELLED_WORD = "|".join(_SMALL)
_SPELLED = re.compile(
    rf"\b(?:{_SPELLED_WORD})\b(?:(?:[\s-]|\sand\s)(?:{_SPELLED_WORD}|{_SPELLED_SCALE})\b){{0,{_LONGEST_SPELLED}}}",
    re.IGNORECASE,
)

_GAPS = ",'’\u00a0\u2009\u202f "
_NUMBER = re.compile(
    rf"""
    (?<!\w)(?<!\d[.,])
    (?:(?P<currency>[$€£¥₹]|(?:USD|EUR|GBP|JPY|CHF|CNY|INR)(?=\s?[\d+\u2212-]))\s?)?
    (?:(?<![\w)])(?P<sign>[+\u2212-]))?
    (?:
        (?P<grouped>\d{{1,3}}(?P<gap>[{_GAPS}])\d{{3}}(?:(?P=gap)\d{{3}})*(?:\.\d+)?)
      | (?P<dotted>\d{{1,3}}(?:(?:\.\d{{3}}){{2,}}(?:,\d+)?|\.\d{{3}},\d+))
      | (?P<plain>\d+(?:\.\d+)?(?:[eE][+-]?\d{{1,3}})?|\d+,\d+|\.\d+)
    )
    (?!\d|[.,]\d)
    (?:st|nd|rd|th)?
    """,
    re.VERBOSE,
)
_SCALE = re.compile(rf"[\s-]?(?P<word>{'|'.join(_SCALES)})s?(?!\w)|(?P<letter>[kKmMbB])n?(?!\w)", re.IGNORECASE)


class Numeral(NamedTuple):
    """A number in a text, with its precision and currency."""

    value: float
    precision: float
    """Half of a unit of the final written digit."""
    currency: str
    """The currency symbol before it, or empty."""
    end: int
    """Position after the number."""


def numerals(text: str) -> Iterator[Numeral]:
    """The numbers in digits, without those inside words and version numbers.

    A comma before three digits separates thousands; any other comma is a decimal comma.

    Examples
    --------
    >>> [each.value for each in numerals("1,234.5 or 1 234 567; 3,5 or 1.234,50; \N{MINUS SIGN}4; B2; v1.2.3; $5m")]
    [1234.5, 1234567.0, 3.5, 1234.5, -4.0, 5000000.0]
    """
    for match in _NUMBER.finditer(text):
        digits = _with_point(match)
        scale, end = _scale(text, match.end(), match["currency"] is not None)
        mantissa, _, exponent = digits.lower().partition("e")
        decimals = len(mantissa.partition(".")[2])
        scale_of_digits = scale * 10.0 ** int(exponent or 0)
        sign = -1.0 if match["sign"] in ("-", "\u2212") else 1.0
        value = sign * float(digits) * scale
        yield Numeral(value, scale_of_digits * 0.5 * 10.0**-decimals, match["currency"] or "", end)


def in_digits(text: str, *, with_one: bool = True) -> str:
    """The text with its spelled numbers in digits. Without ``with_one``, a single “one” may be a pronoun and stays.

    Examples
    --------
    >>> in_digits("One of two hundred and twenty-one, or three million")
    '1 of 221, or 3000000'
    """
    return _SPELLED.sub(lambda match: _in_digits(match[0], with_one=with_one), text)


def _in_digits(spelled: str, *, with_one: bool) -> str:
    if not with_one and spelled.lower() == "one":
        return spelled
    total = current = 0
    for word in re.split(r"[\s-]", spelled.lower()):
        if word == "hundred":
            current = (current or 1) * 100
        elif word in _SCALES:
            total, current = total + (current or 1) * int(_SCALES[word]), 0
        else:
            current += _SMALL.get(word, 0)
    return str(total + current)


def _with_point(match: re.Match[str]) -> str:
    """The digits in the syntax of Python."""
    if grouped := match["grouped"]:
        return grouped.replace(match["gap"], "")
    if dotted := match["dotted"]:
        return dotted.replace(".", "").replace(",", ".")
    return match["plain"].replace(",", ".")


def _scale(text: str, at: int, of_money: bool) -> tuple[float, int]:
    match = _SCALE.match(text, at)
    if match is None:
        return 1.0, at
    if word := match["word"]:
        return _SCALES[word.lower()], match.end()
    letter = match["letter"].lower()
    return (_LETTERS[letter], match.end()) if of_money or letter == "k" else (1.0, at)

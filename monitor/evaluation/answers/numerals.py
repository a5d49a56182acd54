"""Numbers in digits as people write them in running text: with thousands separators or a scale word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12,
    "lakh": 1e5, "crore": 1e7, "millionen": 1e6, "mio": 1e6, "mio.": 1e6, "milliarden": 1e9, "mrd": 1e9, "mrd.": 1e9,
}  # fmt: skip
_LETTERS = {"k": 1e3, "m": 1e6, "b": 1e9}
"""Scales written as a letter: k at any number, the others only after the sign of a currency."""

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
_GROUPED_BY_POINT = re.compile(r"[1-9]\d{0,2}\.\d{3}")
_MONEY = re.compile(r"\s?(?:[$€£]|(?:euros?|eur|usd|gbp|chf|dollars?|francs?|franken)\b)", re.IGNORECASE)
_POINT_GROUP = re.compile(r"\d\.\d{3}")
_DECIMAL_COMMA = re.compile(
    r"\b(?:und|ist|sind|das|der|beträgt|kostet|für|hat|wurde|werden|etwa|rund|jahre?|el|los|las|una|del|het|een|zijn"
    r"|della|sono|circa|gli|uma|são|cerca)\b",
    re.IGNORECASE,
)
"""Words of languages that write a decimal comma."""
_SCALE = re.compile(
    rf"[\s-]?(?P<word>{'|'.join(map(re.escape, sorted(_SCALES, key=len, reverse=True)))})s?(?!\w)"
    r"|(?P<letter>[kKmMbB])n?(?!\w)",
    re.IGNORECASE,
)


class Numeral(NamedTuple):
    """A number in a text, with its precision and currency."""

    value: float
    precision: float
    """Half of a unit of the final written digit."""
    currency: str
    """The currency symbol before it, or empty."""
    start: int
    """Position of its first character."""
    end: int
    """Position after the number."""


def numerals(text: str) -> Iterator[Numeral]:
    """The numbers in digits, without those inside words and version numbers.

    A comma before three digits separates thousands; any other comma is a decimal comma. A point before three digits
    separates thousands in amounts of money and in texts in German, Dutch, Spanish, Italian or Portuguese.

    Examples
    --------
    >>> [each.value for each in numerals("1,234.5 or 1 234 567; 3,5 or 1.234,50; \N{MINUS SIGN}4; B2; v1.2.3; $5m")]
    [1234.5, 1234567.0, 3.5, 1234.5, -4.0, 5000000.0]
    >>> [each.value for each in numerals("Das sind 1.500 Liter für 2.000 Euro")], next(numerals("1.500 km")).value
    ([1500.0, 2000.0], 1.5)
    """
    has_decimal_comma = _POINT_GROUP.search(text) is not None and _DECIMAL_COMMA.search(text) is not None
    for match in _NUMBER.finditer(text):
        digits = _with_point(match, has_decimal_comma=has_decimal_comma)
        scale, end = _scale(text, match.end(), match["currency"] is not None)
        mantissa, _, exponent = digits.lower().partition("e")
        decimals = len(mantissa.partition(".")[2])
        scale_of_digits = scale * 10.0 ** int(exponent or 0)
        sign = -1.0 if match["sign"] in ("-", "\u2212") else 1.0
        value = sign * float(digits) * scale
        yield Numeral(value, scale_of_digits * 0.5 * 10.0**-decimals, match["currency"] or "", match.start(), end)


def _with_point(match: re.Match[str], *, has_decimal_comma: bool) -> str:
    """The digits in the syntax of Python."""
    if grouped := match["grouped"]:
        return grouped.replace(match["gap"], "")
    if dotted := match["dotted"]:
        return dotted.replace(".", "").replace(",", ".")
    plain = match["plain"]
    if _GROUPED_BY_POINT.fullmatch(plain) and (
        has_decimal_comma or match["currency"] or _MONEY.match(match.string, match.end())
    ):
        return plain.replace(".", "")
    return plain.replace(",", ".")


def _scale(text: str, at: int, of_money: bool) -> tuple[float, int]:
    match = _SCALE.match(text, at)
    if match is None:
        return 1.0, at
    if word := match["word"]:
        return _SCALES[word.lower()], match.end()
    letter = match["letter"].lower()
    return (_LETTERS[letter], match.end()) if of_money or letter == "k" else (1.0, at)

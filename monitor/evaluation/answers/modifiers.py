"""Words beside a number that change its meaning: a rejection (“not 5”), a bound (“at least 5”), a version."""

from __future__ import annotations

import re

_REACH = 40
"""Characters before or after a number that are read."""
_LINKS = r"(?:(?:in|on|at|by|for|about|around|the|a|an|exactly|as)\s+)*[$€£]?\s*$"
_REJECTED = re.compile(rf"(?:\bnot|n't|n’t|\brather than|\binstead of|\bnever|\bneither)\s+{_LINKS}", re.IGNORECASE)
_LOWER = re.compile(
    rf"(?:\bat least|\bminimum(?: of)?|\bmin\.?|\b(?:no|not) (?:less|fewer) than"
    rf"|(?<!no )(?<!not )\b(?:more|greater|higher) than|\bover|\babove|\bexceed(?:s|ing)?|≥|>=?)\s*{_LINKS}",
    re.IGNORECASE,
)
_UPPER = re.compile(
    rf"(?:\bat most|\bmaximum(?: of)?|\bmax\.?|\b(?:no|not) more than|(?<!no )(?<!not )\b(?:less|fewer|lower) than"
    rf"|\bup to|\bunder|\bbelow|\bnot exceed(?:ing)?|≤|<=?)\s*{_LINKS}",
    re.IGNORECASE,
)
_LOWER_AFTER = re.compile(
    r"\+|[^.,;\d]{0,20}?\b(?:or (?:more|above|over|older|longer)|and (?:over|above)|minimum)\b", re.I
)
_UPPER_AFTER = re.compile(r"[^.,;\d]{0,20}?\b(?:or (?:less|fewer|under|below|younger|shorter)|maximum|at most)\b", re.I)
_VERSION = re.compile(
    r"(?<![\w.,])v?(?P<long>\d+(?:\.\d+){2,})(?!\w|\.\d)|\b(?:version|release|v)\.?\s?(?P<short>\d+(?:\.\d+)*)(?!\w|\.\d)",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+")


def is_rejected(text: str, at: int) -> bool:
    """Whether the words before a position reject the number there.

    Examples
    --------
    >>> is_rejected("It is not 5, but 7", 10), is_rejected("It is not 5, but 7", 17)
    (True, False)
    """
    return _REJECTED.search(text, max(0, at - _REACH), at) is not None


def bound(text: str, start: int, end: int) -> int:
    """1 if the words around a number make it a lower bound, −1 for an upper bound, else 0.

    Examples
    --------
    >>> bound("at least 5", 9, 10), bound("5 or fewer", 0, 1), bound("no more than 5", 13, 14), bound("5", 0, 1)
    (1, -1, -1, 0)
    """
    before = max(0, start - _REACH)
    if _UPPER.search(text, before, start) or _UPPER_AFTER.match(text, end, end + _REACH):
        return -1
    if _LOWER.search(text, before, start) or _LOWER_AFTER.match(text, end, end + _REACH):
        return 1
    return 0


def take_versions(text: str) -> tuple[list[str], str]:
    """The version numbers of a text without final zeros, and the text without them.

    Examples
    --------
    >>> take_versions("Version 3.10 or 2.0.1, not 1.500.000")
    (['3.10', '2.0.1'], '  or  , not 1.500.000')
    """
    versions: list[str] = []

    def take(match: re.Match[str]) -> str:
        version = match["long"] or match["short"]
        if match["long"] and _THOUSANDS.fullmatch(version):
            return match[0]
        versions.append(without_final_zeros(version))
        return " "

    return versions, _VERSION.sub(take, text)


def without_final_zeros(version: str) -> str:
    """A version without final zeros, so that 2.0.0 is 2.

    Examples
    --------
    >>> without_final_zeros("2.10.0")
    '2.10'
    """
    return re.sub(r"(?:\.0)+$", "", version)

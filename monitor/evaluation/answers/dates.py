"""Dates in the usual written forms: ISO, day and month in figures, and months by their English names."""

from __future__ import annotations

import re
from typing import NamedTuple

from monitor.evaluation.answers.modifiers import is_rejected

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})(?!\w)"
_FORMS = tuple(
    re.compile(rf"(?<!\w)(?<!\d[./-]){form}(?!\d)", re.IGNORECASE)
    for form in (
        rf"(?:the )?{_DAY}(?:\s|-)?(?:of )?{_MONTH}(?!\w)(?:(?:,? (?:of )?|-){_YEAR})?",
        rf"{_MONTH} (?:the )?{_DAY}(?!\w)(?:,? {_YEAR})?",
        rf"{_MONTH},? (?:of )?{_YEAR}",
        r"(?P<year>\d{4})-(?P<month>\d{2})(?:-(?P<day>\d{2}))?(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?(?![\w-])",
        r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})(?![\w/])",
        r"(?P<day>\d{1,2})(?P<between>[/.])(?P<month>\d{1,2})(?P=between)(?P<year>\d{4})(?![\w/])",
    )
)
_DIGIT = re.compile(r"\d")
_NUMERIC = re.compile(r"\d[-/.]\d")


class Date(NamedTuple):
    """A date; a missing part is 0."""

    year: int
    month: int
    day: int

    def agrees_with(self, other: Date) -> bool:
        """Whether the other date has every part of this one."""
        return all(mine in (0, theirs) for mine, theirs in zip(self, other, strict=True))


Readings = tuple[Date, ...]
"""The possible readings of one written date: 3/4/2024 is a day in April or in March."""


def take_dates(text: str) -> tuple[list[Readings], str]:
    """The dates of a text, and the text without them. A year by itself is a number, and a month by itself is a word.

    A date that the text rejects (“not 4 May”) is left out of both.

    Examples
    --------
    >>> take_dates("From March 1st, 2024 to 2024-04-02.")
    ([(Date(year=2024, month=3, day=1),), (Date(year=2024, month=4, day=2),)], 'From   to  .')
    """
    dates: list[Readings] = []

    def take(match: re.Match[str]) -> str:
        readings = _read(match)
        if readings and not is_rejected(match.string, match.start()):
            dates.append(readings)
        return " " if readings else match[0]

    if _DIGIT.search(text) and (_NUMERIC.search(text) or any(name in text.lower() for name in _NAMES)):
        for form in _FORMS:
            text = form.sub(take, text)
    return dates, text


def _read(match: re.Match[str]) -> Readings:
    groups = match.groupdict()
    year, day = int(groups["year"] or 0), int(groups.get("day") or 0)
    if name := groups.get("name"):
        if not year and name in ("may", "march", "mar"):
            return ()  # “5 may apply” is not a date
        return _possible(Date(year, _NAMES.index(name[:3].lower()) + 1, day))
    month = int(groups["month"])
    is_ambiguous = groups.get("between") == "/" and month != day
    return _possible(Date(year, month, day), *([Date(year, day, month)] if is_ambiguous else []))


def _possible(*dates: Date) -> Readings:
    return tuple(each for each in dates if 1 <= each.month <= 12 and each.day <= 31)

"""Times of day in the usual written forms: 17:00, 5 pm, half past four, 17 Uhr, noon."""

from __future__ import annotations

import re

Times = frozenset[int]
"""The possible readings of one written time, in minutes after midnight: 4:30 is in the morning or in the afternoon."""

DAY = 24 * 60
"""Minutes."""
_NAMES = {"noon": 720, "midday": 720, "midnight": 0}
_STEPS = {"half": 30, "quarter": 15}
_HALF_OF_DAY = (
    r"(?:\s?(?P<half>[ap])\.?\s?m\b\.?|\s(?:o'clock\s)?in the (?P<part>morning|afternoon|evening)\b"
    r"|\s(?:o'clock\s)?at (?P<night>night)\b)"
)
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"\b(?P<step>half|quarter)\s(?P<side>past|to)\s(?P<hour>\d{{1,2}})\b{_HALF_OF_DAY}?",
        rf"(?<![\w.,:/-])(?P<hour>\d{{1,2}})(?:[:.](?P<minute>[0-5]\d))?(?::[0-5]\d)?{_HALF_OF_DAY}",
        r"(?<![\w.,:/-])(?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d))?\s?(?:o['’]clock|uhr|hrs)\b",
        r"(?<![\w.,:/-])(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?![\d:])",
        r"\b(?P<name>noon|midday|midnight)\b",
    )
)
_DIGIT = re.compile(r"\d")
_LIKELY = re.compile(
    r"\d\s?[ap]\.?\s?m\b|\d:\d|past|quarter to|o['’]clock|uhr|hrs|noon|midday|midnight|in the|at night", re.I
)


def take_times(text: str) -> tuple[list[Times], str]:
    """The times of day of a text with numbers in digits, and the text without them.

    Examples
    --------
    >>> take_times("From 9:30 am to 5 pm")
    ([frozenset({570}), frozenset({1020})], 'From   to  ')
    """
    times: list[Times] = []

    def take(match: re.Match[str]) -> str:
        readings = _read(match)
        times.extend([readings] if readings else [])
        return " " if readings else match[0]

    is_named = any(name in text.lower() for name in _NAMES)
    if is_named or (_DIGIT.search(text) and _LIKELY.search(text)):
        for form in _FORMS:
            text = form.sub(take, text)
    return times, text


def _read(match: re.Match[str]) -> Times:
    groups = match.groupdict()
    if groups.get("name"):
        return frozenset({_NAMES[match["name"].lower()]})
    hour = int(match["hour"])
    if hour > 24:
        return frozenset()
    minutes = 60 * hour + int(groups.get("minute") or 0)
    if step := groups.get("step"):
        minutes += _STEPS[step.lower()] if match["side"].lower() == "past" else -_STEPS[step.lower()]
    half = (groups.get("half") or {"m": "a"}.get((groups.get("part") or "-")[0].lower(), "")).lower()
    if not half and (groups.get("part") or groups.get("night")):
        half = "p"
    if half:
        return frozenset({(minutes % 720) + (720 if half == "p" else 0)}) if hour <= 12 else frozenset({minutes % DAY})
    is_ambiguous = 1 <= hour <= 12 and not match["hour"].startswith("0")
    return frozenset({minutes % DAY, (minutes + 720) % DAY} if is_ambiguous else {minutes % DAY})

"""Texts of a message: lines of bounded length without control characters, and numbers and times as people read them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

MISSING = "–"
_LAST_WORD = 0.6
"""A text is cut at the end of a word, if the word ends beyond this share of the limit."""


def clip(text: str, limit: int) -> str:
    """The text in at most ``limit`` characters; a longer one is cut between words and ends with an ellipsis.

    >>> clip("contrast agent under 30", 18), clip("abcdefghij", 6)
    ('contrast agent…', 'abcde…')
    """
    if len(text) <= limit:
        return text
    beginning = text[: limit - 1]
    last_space = beginning.rfind(" ") if text[limit - 1] != " " else len(beginning)
    return (beginning[:last_space] if last_space >= _LAST_WORD * limit else beginning).rstrip(" ,;:") + "…"


def one_line(value: object, limit: int) -> str:
    """A value as one printable line: no line breaks, control characters or lone surrogates."""
    text = "" if value is None else str(value)[: 4 * limit].encode("utf-8", "replace").decode("utf-8")
    return clip(" ".join("".join(c if c.isprintable() else " " for c in text).split()), limit)


def number(value: object) -> float | None:
    """The value as a number; None if it is absent, not a number or not finite."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]  # checked


def signed(value: float, digits: int = 0) -> str:
    """A number with a sign that is as wide as a digit.

    >>> signed(-12.3), signed(4.0), signed(-0.2)
    ('−12', '+4', '0')
    """
    text = f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")
    return text.lstrip("+−") if float(f"{abs(value):.{digits}f}") == 0 else text


def instant(value: object) -> datetime | None:
    """The time of an ISO 8601 text; without a zone it is UTC. None for any other value."""
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def format_time(value: object) -> str:
    """Date and time in UTC; empty without a time."""
    at = instant(value)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else ""


def format_clock(value: object, today: datetime) -> str:
    """The time of day in UTC, with its date if it is another day than ``today``; empty without a time."""
    at = instant(value)
    if at is None:
        return ""
    at = at.astimezone(UTC)
    return f"{at:%H:%M} UTC" if at.date() == today.astimezone(UTC).date() else f"{at:%Y-%m-%d %H:%M} UTC"


def format_duration(value: object) -> str:
    """A duration in days, hours and minutes; empty without a number."""
    seconds = number(value)
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    days, hours = divmod(minutes // 60, 24)
    units = ((days, "d"), (hours, "h"), (minutes % 60, "min"))
    return " ".join(f"{count} {unit}" for count, unit in units if count) or "less than a minute"

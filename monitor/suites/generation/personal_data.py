"""Personal data in queries, found by form and checksum, and taken out. What was found is counted and never told."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.check_digits import is_dni, is_iban, is_luhn, is_nir, is_pesel, is_steuer_id

_SUSPECT = re.compile(r"[0-9@]|://|www\.|::", re.IGNORECASE)
"""A query without any of these holds nothing that has a form."""
_SEPARATORS = re.compile(r"[ .\-/]")
_LONG_SECRET = re.compile(r"(?=[^/]*[0-9])[A-Za-z0-9_-]{20,}")

_DATE = re.compile(r"(?:19|20)[0-9]{2}[-./][0-9]{1,2}[-./][0-9]{1,2}|[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ](?:19|20)[0-9]{2}")
_PLACEHOLDER = re.compile(r"<[a-z_]+>")


class Form(NamedTuple):
    """What one kind of personal data looks like."""

    kind: str
    pattern: re.Pattern[str]
    is_real: Callable[[str], bool]


def _bare(found: str) -> str:
    return _SEPARATORS.sub("", found)


def _is_telling_url(found: str) -> bool:
    """Whether an address carries who somebody is or what they may do: a login, parameters, a long secret."""
    try:
        parts = urlsplit(found if "://" in found else f"//{found}")
    except ValueError:
        return True
    return bool(parts.query or "@" in parts.netloc or "=" in parts.fragment or _LONG_SECRET.search(parts.path))


def _digits(found: str) -> str:
    return re.sub(r"\D", "", found)


def _is_of_eleven(digits: str) -> bool:
    return is_steuer_id(digits) or is_pesel(digits)


def _is_address(found: str) -> bool:
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return False
    return True


def _is_phone(found: str) -> bool:
    """A number as telephones have it. A bare run of nine digits or more counts as one, whatever it was meant to be."""
    groups = re.findall(r"\d+", found)
    is_grouped = len(groups) >= 3 and all(len(group) > 1 for group in groups[1:])
    is_prefixed = found.startswith(("+", "(", "0")) and not found.startswith("0.")
    is_like_one = is_grouped or is_prefixed or max(map(len, groups)) >= 9
    return is_like_one and 7 <= sum(map(len, groups)) <= 15 and not _DATE.fullmatch(found)


def _checked(check: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda found: check(_bare(found).upper())


def _form(kind: str, pattern: str, is_real: Callable[[str], bool] = lambda _: True) -> Form:
    return Form(kind, re.compile(pattern, re.IGNORECASE), is_real)


FORMS = (
    _form("url", r"\b(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>\"]+", _is_telling_url),
    _form("email", r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)*"),
    _form("iban", r"\b[a-z]{2}[0-9]{2}(?: ?[a-z0-9]){11,30}\b", _checked(is_iban)),
    _form("card", r"(?<![0-9])(?:[0-9][ -]?){12,18}[0-9](?![0-9])", _checked(is_luhn)),
    _form(  # France
        "national_id",
        r"\b[12][ .]?[0-9]{2}[ .]?[0-9]{2}[ .]?(?:[0-9]{2}|2[AB])[ .]?[0-9]{3}[ .]?[0-9]{3}[ .]?[0-9]{2}\b",
        _checked(is_nir),
    ),
    _form("national_id", r"\b(?!000|666|9)[0-9]{3}-[0-9]{2}-[0-9]{4}\b"),  # United States
    _form(  # United Kingdom
        "national_id", r"\b[a-ceghj-pr-tw-z][a-ceghj-npr-tw-z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[a-d]\b"
    ),
    _form("national_id", r"\b[xyz0-9][0-9]{7}-?[a-z]\b", _checked(is_dni)),  # Spain
    _form("national_id", r"\b[a-z]{6}[0-9]{2}[a-z][0-9]{2}[a-z][0-9]{3}[a-z]\b"),  # Italy
    _form("national_id", r"\b[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}\b", _checked(_is_of_eleven)),  # Germany, Poland
    _form("national_id", r"\b(?:19|20)?[0-9]{6}[-+][0-9]{4}\b", lambda found: is_luhn(_digits(found)[-10:])),  # Sweden
    _form("ip_address", r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.]*[0-9])", _is_address),
    _form("ip_address", r"(?<![0-9a-z:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![0-9a-z:])", _is_address),
    _form("phone", r"(?<![\w.,])(?:\+|00)?\(?[0-9](?:[ ./()-]{0,2}[0-9]){6,14}(?!\w|[.,][0-9])", _is_phone),
)
"""The strict ones first: what is a card number must not be called a phone number."""

KINDS = (*dict.fromkeys(form.kind for form in FORMS), "name")


def scrubbed(text: str, found: Counter[str], names: Iterable[str] = ()) -> str:
    """The text with ``<email>`` and the like in place of what was found, which is added to the counts."""
    for name in names:
        text = _without_name(text, name, found)
    if not _SUSPECT.search(text):
        return text
    for form in FORMS:
        text = _without(text, form, found)
    return text


def words_left(text: str) -> tuple[int, bool]:
    """How many words there are beside what was taken out, and whether anything was."""
    left, n_taken = _PLACEHOLDER.subn(" ", text)
    return len(normalise(left).split()), n_taken > 0


def _without(text: str, form: Form, found: Counter[str]) -> str:
    """Every place is tried, and every end that cuts no word: what stands beside a number can look like a part of it."""
    kept, place = "", 0
    while match := form.pattern.search(text, place):
        start = match.start()
        end = next((end for end in _ends(match) if form.is_real(text[start:end])), None)
        if end is None:
            kept, place = kept + text[place : start + 1], start + 1
        else:
            found[form.kind] += 1
            kept, place = f"{kept}{text[place:start]}<{form.kind}>", end
    return kept + text[place:]


def _ends(match: re.Match[str]) -> Iterator[int]:
    text, pattern = match.string, match.re
    for end in range(match.end(), match.start(), -1):
        is_within_word = text[end - 1].isalnum() and text[end : end + 1].isalnum()
        if not is_within_word and pattern.fullmatch(text, match.start(), end):
            yield end


def _without_name(text: str, name: str, found: Counter[str]) -> str:
    """Each word of a name that somebody else's column says is one; initials are too short to be told from words."""
    parts = [re.escape(part) for part in re.split(r"[\s,;]+", name.strip()) if len(part) > 1]
    if not parts:
        return text
    joined = "|".join(sorted(parts, key=len, reverse=True))
    text, n_found = re.subn(rf"\b(?:{joined})(?:\s+(?:{joined}))*\b", "<name>", text, flags=re.IGNORECASE)
    found["name"] += n_found
    return text

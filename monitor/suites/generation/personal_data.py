"""Find personal data in queries by form and check digits, and replace it. Values are counted and never shown."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from stdnum import iban, luhn
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.exceptions import ValidationError
from stdnum.fr import nir
from stdnum.pl import pesel
from stdnum.se import personnummer

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.card_numbers import is_card_number

_SUSPECT = re.compile(r"[0-9@]|://|www\.|::", re.IGNORECASE)
"""A query without any of these contains no personal data that has a form."""
_SEPARATORS = re.compile(r"[ .\-/]")
_LONG_SECRET = re.compile(r"(?=[^/]*[0-9])[A-Za-z0-9_-]{20,}")

_DATE = re.compile(r"(?:19|20)[0-9]{2}[-./][0-9]{1,2}[-./][0-9]{1,2}|[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ](?:19|20)[0-9]{2}")
_PLACEHOLDER = re.compile(r"<[a-z_]+>")


class Form(NamedTuple):
    """The pattern of one kind of personal data, and a check of its matches."""

    kind: str
    pattern: re.Pattern[str]
    is_real: Callable[[str], bool]


def _is_private_url(text: str) -> bool:
    """Whether a URL identifies a person or grants access: it has a login, parameters or a long secret."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
    except ValueError:
        return True
    return bool(parts.query or "@" in parts.netloc or "=" in parts.fragment or _LONG_SECRET.search(parts.path))


def _is_spanish_id(number: str) -> bool:
    return dni.is_valid(number) or nie.is_valid(number)


def _is_german_or_polish_id(number: str) -> bool:
    return idnr.is_valid(number) or pesel.is_valid(number)


def _is_swedish_id(text: str) -> bool:
    """Whether a number is a personnummer or a coordination number, which adds 60 to the day of birth."""
    try:
        luhn.validate(re.sub(r"[-+]", "", text)[-10:])
        personnummer.get_birth_date(_without_day_offset(text))
    except ValidationError:
        return False
    return True


def _without_day_offset(text: str) -> str:
    day = int(text[-7:-5])
    return f"{text[:-7]}{day - 60 if day > 60 else day:02d}{text[-5:]}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_phone(text: str) -> bool:
    """Whether digits are grouped or prefixed like a phone number. Any bare run of nine digits or more counts as one."""
    groups = re.findall(r"\d+", text)
    is_grouped = len(groups) >= 3 and all(len(group) > 1 for group in groups[1:])
    is_prefixed = text.startswith(("+", "(", "0")) and not text.startswith("0.")
    has_phone_form = is_grouped or is_prefixed or max(map(len, groups)) >= 9
    return has_phone_form and 7 <= sum(map(len, groups)) <= 15 and not _DATE.fullmatch(text)


def _checked(check: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda text: check(_SEPARATORS.sub("", text).upper())


def _form(kind: str, pattern: str, is_real: Callable[[str], bool] = lambda _: True) -> Form:
    return Form(kind, re.compile(pattern, re.IGNORECASE), is_real)


FORMS = (
    _form("url", r"\b(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>\"]+", _is_private_url),
    _form("email", r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)*"),
    _form("iban", r"\b[a-z]{2}[0-9]{2}(?: ?[a-z0-9]){11,30}\b", _checked(iban.is_valid)),
    _form("card", r"(?<![0-9])(?:[0-9][ -]?){12,18}[0-9](?![0-9])", _checked(is_card_number)),
    _form(  # France
        "national_id",
        r"\b[12][ .]?[0-9]{2}[ .]?[0-9]{2}[ .]?(?:[0-9]{2}|2[AB])[ .]?[0-9]{3}[ .]?[0-9]{3}[ .]?[0-9]{2}\b",
        _checked(nir.is_valid),
    ),
    _form("national_id", r"\b(?!000|666|9)[0-9]{3}-[0-9]{2}-[0-9]{4}\b"),  # United States
    _form(  # United Kingdom
        "national_id", r"\b[a-ceghj-pr-tw-z][a-ceghj-npr-tw-z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[a-d]\b"
    ),
    _form("national_id", r"\b[xyz0-9][0-9]{7}-?[a-z]\b", _checked(_is_spanish_id)),  # Spain
    _form("national_id", r"\b[a-z]{6}[0-9]{2}[a-z][0-9]{2}[a-z][0-9]{3}[a-z]\b"),  # Italy
    _form(
        "national_id", r"\b[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}\b", _checked(_is_german_or_polish_id)
    ),  # Germany, Poland
    _form("national_id", r"\b(?:19|20)?[0-9]{6}[-+][0-9]{4}\b", _is_swedish_id),  # Sweden
    _form("ip_address", r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.]*[0-9])", _is_address),
    _form("ip_address", r"(?<![0-9a-z:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![0-9a-z:])", _is_address),
    _form("phone", r"(?<![\w.,])(?:\+|00)?\(?[0-9](?:[ ./()-]{0,2}[0-9]){6,14}(?!\w|[.,][0-9])", _is_phone),
)
"""Strict forms come first, so that a card number is not counted as a phone number."""

KINDS = (*dict.fromkeys(form.kind for form in FORMS), "name")


def scrubbed(text: str, counts: Counter[str], names: Iterable[str] = ()) -> str:
    """Replace personal data by placeholders such as ``<email>`` and add the replacements to ``counts``."""
    for name in names:
        text = _without_name(text, name, counts)
    if not _SUSPECT.search(text):
        return text
    for form in FORMS:
        text = _without(text, form, counts)
    return text


def words_left(text: str) -> tuple[int, bool]:
    """The number of words beside placeholders, and whether there are placeholders."""
    rest, n_placeholders = _PLACEHOLDER.subn(" ", text)
    return len(normalise(rest).split()), n_placeholders > 0


def _without(text: str, form: Form, counts: Counter[str]) -> str:
    """Try every start, and every end at a word boundary: text beside a number can look like a part of it."""
    result, place = "", 0
    while match := form.pattern.search(text, place):
        start = match.start()
        end = next((end for end in _ends(match) if form.is_real(text[start:end])), None)
        if end is None:
            result, place = result + text[place : start + 1], start + 1
        else:
            counts[form.kind] += 1
            result, place = f"{result}{text[place:start]}<{form.kind}>", end
    return result + text[place:]


def _ends(match: re.Match[str]) -> Iterator[int]:
    text, pattern = match.string, match.re
    for end in range(match.end(), match.start(), -1):
        is_within_word = text[end - 1].isalnum() and text[end : end + 1].isalnum()
        if not is_within_word and pattern.fullmatch(text, match.start(), end):
            yield end


def _without_name(text: str, name: str, counts: Counter[str]) -> str:
    """Replace each word of a name. Initials are left: they are too short to be distinguished from words."""
    parts = [re.escape(part) for part in re.split(r"[\s,;]+", name.strip()) if len(part) > 1]
    if not parts:
        return text
    joined = "|".join(sorted(parts, key=len, reverse=True))
    text, n_replaced = re.subn(rf"\b(?:{joined})(?:\s+(?:{joined}))*\b", "<name>", text, flags=re.IGNORECASE)
    counts["name"] += n_replaced
    return text

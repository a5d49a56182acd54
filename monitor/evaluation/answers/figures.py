"""The figures in a text: numbers with their units and counted things, dates, times of day and versions."""

from __future__ import annotations

import re
from typing import NamedTuple

from monitor.evaluation.answers.clock import Times, take_times
from monitor.evaluation.answers.dates import Readings, take_dates
from monitor.evaluation.answers.modifiers import bound, is_rejected, take_versions, without_final_zeros
from monitor.evaluation.answers.numerals import Numeral, numerals
from monitor.evaluation.answers.spelled import in_digits
from monitor.evaluation.answers.tokens import cached, words
from monitor.evaluation.answers.units import Unit, unit_called

LONGEST_READ = 50_000
"""Maximum number of characters of a text that are read."""

_NAME = re.compile(
    r"[\s-]?(?P<sign>[%‰$€£¥₹°](?!\w))|[\s-]?(?P<words>°?[^\W\d_]+(?:/[^\W\d_]+)?[²³23]?(?: [^\W\d_]+){0,2})"
)
_COUNTED = re.compile(r"\s(?P<words>[^\W\d_]+(?:[ -][^\W\d_]+){0,2})")
_DIGIT = re.compile(r"\d")
_BARE = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)*)(?!\w|\.\d)", re.IGNORECASE)
_BETWEEN_PARTS = re.compile(r"(?:,|,? and)?\s*")
_END_OF_NOUN = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|in|on|at|of|to|for|from|by|with|and|or|per|the|a|an|that|which|who|if"
    r"|not|but|as|will|can|may|must|each|every|total|times)\b"
)
_IRREGULAR_PLURALS = frozenset(
    ("people", "children", "men", "women", "mice", "feet", "teeth", "geese", "oxen", "staff")
)
_GENERIC = frozenset(("items", "things", "pieces", "units", "ones", "entries", "cases", "copies", "others", "points"))
_PEOPLE = frozenset(
    words(
        "people persons employees staff members workers participants respondents patients inhabitants residents "
        "subjects individuals students users"
    )
)
_COMPOUND = frozenset(("time", "months", "length", "mass", "angle"))
"""Dimensions with numbers in several units: 1 h 30 min."""
_YEARS = range(1500, 2101)


class Quantity(NamedTuple):
    """A number and its unit, if it has one."""

    number: float
    precision: float
    """Half of a unit of the final written digit."""
    unit: Unit | None
    bound: int = 0
    """1 for “at least”, −1 for “at most”."""
    things: frozenset[str] = frozenset()
    """The words after a number without a unit, if one of them is a plural: the counted things."""

    @property
    def value(self) -> float:
        """The number in the first unit of its dimension."""
        return self.number * self.unit.factor + self.unit.offset if self.unit else self.number


class Figures(NamedTuple):
    """The quantities, dates, times of day and versions in a text."""

    quantities: tuple[Quantity, ...] = ()
    dates: tuple[Readings, ...] = ()
    times: tuple[Times, ...] = ()
    versions: tuple[str, ...] = ()

    @property
    def parts(self) -> list[Figures]:
        """Each figure by itself."""
        return [
            *(Figures(quantities=(each,)) for each in self.quantities),
            *(Figures(dates=(each,)) for each in self.dates),
            *(Figures(times=(each,)) for each in self.times),
            *(Figures(versions=(each,)) for each in self.versions),
        ]


@cached
def figures_of_answer(text: str) -> Figures:
    """The figures of an answer without those that it rejects (“not 5”); any number may also be a version.

    Examples
    --------
    >>> [each.value for each in figures_of_answer("1 h 30 min, not 2 h").quantities]
    [5400.0]
    """
    figures = _read(in_digits(text[:LONGEST_READ]))
    bare = _BARE.findall(text[:LONGEST_READ]) if _DIGIT.search(text) else ()
    versions = [without_final_zeros(version) for version in bare]
    return figures._replace(versions=tuple(versions))


@cached
def figures_of_reference(reference: str) -> Figures:
    """The figures of a reference. A single “one” may be a pronoun and is no number.

    Examples
    --------
    >>> figures_of_reference("version 3.10").versions, figures_of_reference("one of them").parts
    (('3.10',), [])
    """
    text = in_digits(reference[:LONGEST_READ], with_one=False)
    if not _DIGIT.search(text):
        return _read(text)
    dates, _ = take_dates(text)
    versions, rest = ([], text) if dates else take_versions(text)
    return _read(rest)._replace(versions=tuple(versions))


def _read(text: str) -> Figures:
    times, text = take_times(text)
    if not _DIGIT.search(text):
        return Figures(times=tuple(times))
    dates, rest = take_dates(text)
    return Figures(tuple(_quantities(rest)), tuple(dates), tuple(times))


def _quantities(text: str) -> list[Quantity]:
    quantities: list[Quantity] = []
    end_of_last = -1
    for numeral in numerals(text):
        unit, end = _unit_at(text, numeral.end)
        unit = unit or unit_called(numeral.currency)
        if is_rejected(text, numeral.start):
            end_of_last = -1
            continue
        things = frozenset[str]() if unit else _things(text, numeral)
        quantity = Quantity(numeral.value, numeral.precision, unit, bound(text, numeral.start, end), things)
        is_adjacent = end_of_last >= 0 and _BETWEEN_PARTS.fullmatch(text, end_of_last, numeral.start) is not None
        if is_adjacent and (whole := _compound(quantities[-1], quantity)):
            quantities[-1] = whole
        else:
            quantities.append(quantity)
        end_of_last = end
    return quantities


def _unit_at(text: str, at: int) -> tuple[Unit | None, int]:
    """The unit that follows a number, which is the longest name of up to three words, and its end."""
    match = _NAME.match(text, at)
    if match is None:
        return None, at
    if match["sign"]:
        return unit_called(match["sign"]), match.end()
    names = match["words"].split(" ")
    for length in range(len(names), 0, -1):
        name = " ".join(names[:length])
        if (unit := unit_called(name)) is not None:
            return unit, match.start("words") + len(name)
    return None, at


def _compound(first: Quantity, second: Quantity) -> Quantity | None:
    """The sum of two quantities of one dimension in descending units: 1 h 30 min."""
    if first.unit is None or second.unit is None or first.unit.dimension != second.unit.dimension:
        return None
    if first.unit.dimension not in _COMPOUND or first.unit.factor <= second.unit.factor:
        return None
    number = first.number * first.unit.factor / second.unit.factor + second.number
    return Quantity(number, second.precision, second.unit, first.bound or second.bound)


def _things(text: str, numeral: Numeral) -> frozenset[str]:
    match = _COUNTED.match(text, numeral.end)
    if match is None or int(numeral.value) in _YEARS:
        return frozenset()
    names = frozenset(_END_OF_NOUN.split(match["words"].lower(), maxsplit=1)[0].replace("-", " ").split())
    has_plural = any(name in _IRREGULAR_PLURALS or (len(name) > 3 and name.endswith("s")) for name in names)
    if not has_plural or names & _GENERIC:
        return frozenset()
    return names | {"people"} if names & _PEOPLE else names

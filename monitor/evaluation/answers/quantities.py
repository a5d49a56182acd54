"""Whether an answer gives the numbers and dates that it should, whatever units and forms it gives them in."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from monitor.evaluation.answers.dates import Readings, take_dates
from monitor.evaluation.answers.numerals import in_digits, numerals
from monitor.evaluation.answers.tokens import kept
from monitor.evaluation.answers.units import Unit, unit_called

ROUNDING = 0.01
"""A converted number may be rounded as far as its last digit tells, and no further than this share of it."""
EXACT = 1e-12
"""Relative difference below which two numbers are one."""
LONGEST_READ = 50_000
"""Characters; numbers that follow them are not read."""

_NAME = re.compile(
    r"[\s-]?(?P<sign>[%‰$€£¥₹°](?!\w))|[\s-]?(?P<words>°?[^\W\d_]+(?:/[^\W\d_]+)?[²³23]?(?: [^\W\d_]+){0,2})"
)

_DIGIT = re.compile(r"\d")


class Quantity(NamedTuple):
    """A number and its unit, where it has one."""

    number: float
    precision: float
    """Half of a unit of the last digit that is written."""
    unit: Unit | None

    @property
    def value(self) -> float:
        """The number in the first unit of its dimension."""
        return self.number * self.unit.factor + self.unit.offset if self.unit else self.number


class Told(NamedTuple):
    """What a text tells in figures."""

    quantities: tuple[Quantity, ...]
    dates: tuple[Readings, ...]


def numeric_equality(text: str, references: Sequence[str]) -> float:
    """1 where the answer gives every number and date of a reference, else 0; NaN if no reference has any.

    A unit that is left out contradicts nothing; other units are converted, and may be rounded as written. A date may
    tell more than the reference asks for, and a year is also given by a date in it.

    Examples
    --------
    >>> numeric_equality("It is 3.1 miles long.", ["5 km"])
    1.0
    >>> numeric_equality("It opened on 2 May 1998.", ["May 2, 1998"]), numeric_equality("In 1997.", ["1998"])
    (1.0, 0.0)
    """
    wanted = [told for told in map(_wanted, references) if told.quantities or told.dates]
    if not wanted:
        return math.nan
    said = _said(text)
    return float(any(_is_given(each, said) for each in wanted))


@kept
def _said(text: str) -> Told:
    return _read(in_digits(text[:LONGEST_READ]))


@kept
def _wanted(reference: str) -> Told:
    return _read(in_digits(reference[:LONGEST_READ], with_one=False))


def _read(text: str) -> Told:
    if not _DIGIT.search(text):
        return Told((), ())
    dates, rest = take_dates(text)
    quantities = [
        Quantity(each.value, each.precision, _unit_at(rest, each.end) or unit_called(each.currency))
        for each in numerals(rest)
    ]
    return Told(tuple(quantities), tuple(dates))


def _unit_at(text: str, at: int) -> Unit | None:
    """The unit that follows a number: the longest name of up to three words."""
    match = _NAME.match(text, at)
    if match is None:
        return None
    if match["sign"]:
        return unit_called(match["sign"])
    names = match["words"].split(" ")
    found = (unit_called(" ".join(names[:length])) for length in range(len(names), 0, -1))
    return next((unit for unit in found if unit is not None), None)


def _is_given(wanted: Told, said: Told) -> bool:
    return all(_has_quantity(said, each) for each in wanted.quantities) and all(
        any(one.agrees_with(other) for one in readings for given in said.dates for other in given)
        for readings in wanted.dates
    )


def _has_quantity(said: Told, wanted: Quantity) -> bool:
    if wanted.unit is None and any(wanted.number in (each.year, each.day) for each in sum(said.dates, ())):
        return True
    return any(_is_equal(wanted, each) for each in said.quantities)


def _is_equal(wanted: Quantity, said: Quantity) -> bool:
    if wanted.unit is None or said.unit is None or wanted.unit == said.unit:
        return math.isclose(wanted.number, said.number, rel_tol=EXACT)
    if wanted.unit.dimension != said.unit.dimension:
        return False
    rounded = min(said.precision * said.unit.factor, ROUNDING * abs(said.value))
    return math.isclose(wanted.value, said.value, rel_tol=EXACT, abs_tol=rounded)

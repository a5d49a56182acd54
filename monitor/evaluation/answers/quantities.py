"""Comparison of the numbers and dates of an answer with those of a reference, across units and notations."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from monitor.evaluation.answers.dates import Readings, take_dates
from monitor.evaluation.answers.numerals import in_digits, numerals
from monitor.evaluation.answers.tokens import cached
from monitor.evaluation.answers.units import Unit, unit_called

ROUNDING = 0.01
"""A converted number may be rounded to its final digit, but by no more than this share of it."""
EXACT = 1e-12
"""Relative difference below which two numbers are equal."""
LONGEST_READ = 50_000
"""Maximum number of characters of a text that are read."""

_NAME = re.compile(
    r"[\s-]?(?P<sign>[%‰$€£¥₹°](?!\w))|[\s-]?(?P<words>°?[^\W\d_]+(?:/[^\W\d_]+)?[²³23]?(?: [^\W\d_]+){0,2})"
)

_DIGIT = re.compile(r"\d")


class Quantity(NamedTuple):
    """A number and its unit, if it has one."""

    number: float
    precision: float
    """Half of a unit of the final written digit."""
    unit: Unit | None

    @property
    def value(self) -> float:
        """The number in the first unit of its dimension."""
        return self.number * self.unit.factor + self.unit.offset if self.unit else self.number


class Figures(NamedTuple):
    """The quantities and dates in a text."""

    quantities: tuple[Quantity, ...]
    dates: tuple[Readings, ...]


def numeric_equality(text: str, references: Sequence[str]) -> float:
    """1 where the answer has every number and date of a reference, else 0; NaN if no reference has any.

    A missing unit matches every unit; different units are converted, and converted numbers may be rounded. A date may
    be more precise than that of the reference, and a year matches a date in that year.

    Examples
    --------
    >>> numeric_equality("It is 3.1 miles long.", ["5 km"])
    1.0
    >>> numeric_equality("It opened on 2 May 1998.", ["May 2, 1998"]), numeric_equality("In 1997.", ["1998"])
    (1.0, 0.0)
    """
    expected = [figures for figures in map(_of_reference, references) if figures.quantities or figures.dates]
    if not expected:
        return math.nan
    answer = _of_answer(text)
    return float(any(_contains(answer, figures) for figures in expected))


@cached
def _of_answer(text: str) -> Figures:
    return _read(in_digits(text[:LONGEST_READ]))


@cached
def _of_reference(reference: str) -> Figures:
    return _read(in_digits(reference[:LONGEST_READ], with_one=False))


def _read(text: str) -> Figures:
    if not _DIGIT.search(text):
        return Figures((), ())
    dates, rest = take_dates(text)
    quantities = [
        Quantity(each.value, each.precision, _unit_at(rest, each.end) or unit_called(each.currency))
        for each in numerals(rest)
    ]
    return Figures(tuple(quantities), tuple(dates))


def _unit_at(text: str, at: int) -> Unit | None:
    """The unit that follows a number: the longest name of up to three words."""
    match = _NAME.match(text, at)
    if match is None:
        return None
    if match["sign"]:
        return unit_called(match["sign"])
    names = match["words"].split(" ")
    units = (unit_called(" ".join(names[:length])) for length in range(len(names), 0, -1))
    return next((unit for unit in units if unit is not None), None)


def _contains(answer: Figures, reference: Figures) -> bool:
    return all(_has_quantity(answer, quantity) for quantity in reference.quantities) and all(
        any(date.agrees_with(other) for date in readings for others in answer.dates for other in others)
        for readings in reference.dates
    )


def _has_quantity(answer: Figures, quantity: Quantity) -> bool:
    if quantity.unit is None and any(quantity.number in (date.year, date.day) for date in sum(answer.dates, ())):
        return True
    return any(_is_equal(quantity, each) for each in answer.quantities)


def _is_equal(reference: Quantity, answer: Quantity) -> bool:
    if reference.unit is None or answer.unit is None or reference.unit == answer.unit:
        return math.isclose(reference.number, answer.number, rel_tol=EXACT)
    if reference.unit.dimension != answer.unit.dimension:
        return False
    tolerance = min(answer.precision * answer.unit.factor, ROUNDING * abs(answer.value))
    return math.isclose(reference.value, answer.value, rel_tol=EXACT, abs_tol=tolerance)

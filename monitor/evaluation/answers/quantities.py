"""Comparison of the numbers, dates, times and versions of an answer with those of a reference, across notations."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.evaluation.answers.figures import Figures, Quantity, figures_of_answer, figures_of_reference
from monitor.evaluation.answers.units import FRACTION, Unit

ROUNDING = 0.01
"""A converted number may be rounded to its final digit, but by no more than this share of it."""
EXACT = 1e-12
"""Relative difference below which two numbers are equal."""

_DEGREES = frozenset(("angle", "temperature"))


def numeric_equality(text: str, references: Sequence[str]) -> float:
    """1 where the answer has every number, date, time and version of a reference, else 0; NaN if no reference has any.

    A missing unit matches every unit; different units are converted, and converted numbers may be rounded. A date may
    be more precise than that of the reference, and a year matches a date in that year. Numbers
    that the answer rejects (“not 5”) do not count. Numbers of different things (3 dogs, 3 cats) and opposite bounds
    (at least, at most) differ.

    Examples
    --------
    >>> numeric_equality("It is 3.1 miles long.", ["5 km"])
    1.0
    >>> numeric_equality("It opened on 2 May 1998.", ["May 2, 1998"]), numeric_equality("In 1997.", ["1998"])
    (1.0, 0.0)
    """
    expected = [figures for figures in map(figures_of_reference, references) if figures.parts]
    if not expected:
        return math.nan
    answer = figures_of_answer(text)
    return float(any(_contains(answer, figures) for figures in expected))


def has_any_figure_of(reference: str, text: str) -> bool:
    """Whether the text has one of the numbers or dates of a reference, after unit conversion.

    Examples
    --------
    >>> has_any_figure_of("300 m in 5 min", "It is 984 ft high."), has_any_figure_of("300 m", "Paris")
    (True, False)
    """
    expected, answer = figures_of_reference(reference), figures_of_answer(text)
    return any(_contains(answer, part) for part in expected.parts)


def has_figure_like(reference: str, text: str) -> bool | None:
    """Whether the text has a number where the reference has one, or a date; None if the reference has neither.

    Numbers with units of different dimensions do not count.

    Examples
    --------
    >>> has_figure_like("300 m", "It is 5 km long."), has_figure_like("300 m", "It takes 5 minutes.")
    (True, False)
    >>> has_figure_like("Paris", "5")
    """
    expected, answer = figures_of_reference(reference), figures_of_answer(text)
    if not expected.parts:
        return None
    dimensions = {each.unit and each.unit.dimension for each in expected.quantities}
    if (answer.times and expected.times) or (answer.dates and (expected.dates or None in dimensions)):
        return True
    if expected.times or expected.versions or dimensions == {None}:
        return bool(answer.quantities)
    return any(not each.unit or each.unit.dimension in dimensions for each in answer.quantities)


def _contains(answer: Figures, reference: Figures) -> bool:
    return (
        all(_has_quantity(answer, quantity) for quantity in reference.quantities)
        and all(
            any(date.agrees_with(other) for date in readings for others in answer.dates for other in others)
            for readings in reference.dates
        )
        and all(_has_time(answer, readings) for readings in reference.times)
        and all(version in answer.versions for version in reference.versions)
    )


def _has_quantity(answer: Figures, quantity: Quantity) -> bool:
    if quantity.unit is None and any(quantity.number in (date.year, date.day) for date in sum(answer.dates, ())):
        return True
    return any(_agree(quantity, each) for each in answer.quantities)


def _has_time(answer: Figures, readings: frozenset[int]) -> bool:
    """Whether the answer has a time of day, or its hour as a number without a unit."""
    hours = {each.number * 60 for each in answer.quantities if each.unit is None and not each.things}
    return any(readings & times for times in answer.times) or not readings.isdisjoint(hours)


def _agree(reference: Quantity, answer: Quantity) -> bool:
    if reference.bound * answer.bound < 0:
        return False
    if reference.things and answer.things and reference.things.isdisjoint(answer.things):
        return False
    return _is_equal(reference, answer)


def _is_equal(reference: Quantity, answer: Quantity) -> bool:
    left, right = reference.unit, answer.unit
    if left is None or right is None:
        is_share = _is_share(left or right) and _is_close(_percent(reference), _percent(answer), reference, answer)
        return is_share or math.isclose(reference.number, answer.number, rel_tol=EXACT)
    if left == right or {left.dimension, right.dimension} == _DEGREES:
        return math.isclose(reference.number, answer.number, rel_tol=EXACT)
    return left.dimension == right.dimension and _is_close(reference.value, answer.value, reference, answer)


def _is_close(left: float, right: float, reference: Quantity, answer: Quantity) -> bool:
    """Whether two converted numbers are equal up to the final digit of the answer, or of a fraction's reference."""
    precision = answer.precision * (answer.unit.factor if answer.unit else 1.0)
    if reference.unit and answer.unit == FRACTION:
        precision = max(precision, reference.precision * reference.unit.factor)
    return math.isclose(left, right, rel_tol=EXACT, abs_tol=min(precision, ROUNDING * abs(right)))


def _is_share(unit: Unit | None) -> bool:
    return unit is not None and unit.dimension == FRACTION.dimension


def _percent(quantity: Quantity) -> float:
    """A share in percent; a number below 1 without a unit is a share."""
    is_plain_share = quantity.unit is None and 0 < quantity.number < 1
    return 100 * quantity.number if is_plain_share else quantity.value

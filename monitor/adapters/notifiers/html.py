"""A message as HTML, for e-mail and for the page of an incident: tables and inline styles only, no script, no image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from monitor.adapters.notifiers.message import Bar, Message, acknowledge_command
from monitor.adapters.notifiers.texts import signed

_INTERVAL, _ESTIMATE, _ZERO, _NOTHING = "#e8a3a3", "#b3261e", "#444444", "#f4f4f4"
_GAIN = "#a9d3b4"
_MARK = 0.012
"""Width of the mark of the estimate and of the zero line, as a share of the plot."""


class Segment(NamedTuple):
    """A part of one row of the forest plot."""

    percent: float
    colour: str


class PlotRow(NamedTuple):
    """One row of the forest plot."""

    label: str
    value: str
    segments: tuple[Segment, ...]


def to_html(message: Message) -> str:
    """The message as a whole HTML document."""
    return _template("alert.html").render(message_values(message))


def message_values(message: Message) -> dict[str, object]:
    """The variables of the templates ``alert.html`` and ``alert_body.html``."""
    return {"message": message, "plot": forest_plot(message.bars), "acknowledge": acknowledge_command(message)}


def forest_plot(bars: Sequence[Bar]) -> tuple[PlotRow, ...]:
    """The rows of a forest plot on one common scale that includes zero."""
    if not bars:
        return ()
    low = min(0.0, *(bar.lower for bar in bars))
    high = max(0.0, *(bar.upper for bar in bars))
    span = (high - low) or 1.0
    scale = 100 if max(abs(low), abs(high)) <= 1 else 1
    return tuple(
        PlotRow(bar.label, signed(scale * bar.difference, 1), tuple(_segments(bar, low, span))) for bar in bars
    )


def _segments(bar: Bar, low: float, span: float) -> list[Segment]:
    """The row from left to right: interval, estimate and zero, on an empty ground."""

    def place(value: float) -> float:
        return min(max((value - low) / span, 0.0), 1.0)

    marks = {
        _ESTIMATE: _mark(place(bar.difference)),
        _ZERO: _mark(place(0.0)),
        _INTERVAL if bar.difference < 0 else _GAIN: (place(bar.lower), place(bar.upper)),
    }
    edges = sorted({0.0, 1.0, *(edge for mark in marks.values() for edge in mark)})
    return [
        Segment(
            round(100 * (right - left), 2),
            next((colour for colour, (start, end) in marks.items() if start <= left and right <= end), _NOTHING),
        )
        for left, right in pairwise(edges)
    ]


def _mark(place: float) -> tuple[float, float]:
    start = min(max(place - _MARK / 2, 0.0), 1.0 - _MARK)
    return start, start + _MARK


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("monitor.adapters.notifiers"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)

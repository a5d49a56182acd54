"""The sentences of a message: the first line for people, then the cause, the blame, the queries and the statistics.

Each function reads the data of an alert's payload. A key that is absent leaves its words out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from monitor.adapters.notifiers.texts import clip, format_clock, format_duration, number, one_line, signed
from monitor.errors import ComparisonError
from monitor.evaluation.measures import parse
from monitor.model.measures import Measure

Data = Mapping[str, Any]

LONGEST_NAME, LONGEST_QUERY, LONGEST_LINE = 60, 120, 300
MOST_STRATA, MOST_LINES = 4, 6
_WHOLE = ("overall", "phenomena")
_ENDINGS = {
    "rolled_back": "equals its baseline again",
    "recovered": "recovered",
    "accepted": "is judged against a new baseline",
}


def title_of(data: Data, state: str, at: datetime) -> str:
    """The first line: what happened to which target, and since which deployment."""
    if data.get("test"):
        return f"TEST of notifier {_name(data.get('subject') or data.get('target'))} ({state})"
    event = _event(data, at)
    if state in ("resolved", "dismissed"):
        duration = format_duration(data.get("duration_s"))
        label = "Dismissed" if "dismissed" in (state, data.get("resolution")) else "Resolved"
        return f"{label}{f' after {duration}' if duration else ''}: {_ending(data, event)}"
    if state == "acknowledged":
        return f"Acknowledged by {_name(data.get('acknowledged_by')) or 'on-call'}: {_lowered(event)}"
    if state == "reminder":
        return f"Still open after {format_duration(data.get('open_s'))}: {_lowered(event)}"
    return event


def size_of(data: Data) -> str:
    """The size of the drop in a few words, as a subject has it; empty without a drop."""
    row = data.get("headline") or {}
    lost = number(row.get("difference"))
    if lost is None:
        return ""
    measure = measure_of(row)
    if measure is not None and measure.name == "recall":
        return f"{_of_a_hundred(lost)} answers lost"
    return f"{_place(row)} {_change(row)}"


def extent_of(data: Data) -> str:
    """How bad it is: the drop in answers of a hundred, the means with their interval, and what structure gained."""
    row = data.get("headline") or {}
    lost = number(row.get("difference"))
    if lost is None:
        return one_line(data.get("summary"), 750)
    measure, stratum = measure_of(row), row.get("stratum")
    about = "" if stratum in (*_WHOLE, None) else f" about {_name(stratum)}"
    numbers = f"{_place(row)} {_means(row)} ({_interval(row)})"
    if measure is not None and measure.name == "recall":
        return f"{_of_a_hundred(lost)} known answers{about} are no longer found: {numbers}. {_structure(data)}".strip()
    return f"{numbers}. {_structure(data)}".strip()


def cause_lines(data: Data) -> tuple[str, ...]:
    """The likely cause with the parts that it rules out, and the evidence for it."""
    cause = data.get("cause") or {}
    share = number(cause.get("share_changed"))
    extent = f"{100 * share:.0f} % of rankings changed" if share is not None else ""
    excluded = ", ".join(_name(each) for each in cause.get("excluded") or ())
    likely = one_line(cause.get("likely"), LONGEST_LINE - 90) or ("not determined" if extent else "")
    if not likely:
        return ()
    line = f"{likely}{f': {extent}' if extent else ''}{f' (not: {excluded})' if excluded else ''}"
    return tuple(filter(None, (line, one_line(cause.get("evidence"), LONGEST_LINE))))


def blame_lines(data: Data) -> tuple[str, ...]:
    """The shares of retrieval and generation in the drop of the answers."""
    blame = data.get("blame") or {}
    values = {name: number(value) for name, value in (blame.get("shares") or {}).items()}
    shares = sorted(((share, _name(name)) for name, share in values.items() if share is not None), reverse=True)
    if not shares:
        return ()
    if not blame.get("measure"):
        return ("retrieval; answers were not compared",)
    line = ", ".join(f"{name} {100 * share:.0f} %" for share, name in shares)
    return (f"{line} of the drop of {_name(blame['measure'])}".replace("-", "−"),)


def worst_lines(data: Data) -> tuple[str, ...]:
    """One line with the strata that lost most, in points, and the number of the others."""
    rows = [row for row in data.get("strata") or () if number(row.get("difference")) is not None]
    rows.sort(key=lambda row: number(row["difference"]) or 0.0)
    lower = [row for row in rows if (number(row["difference"]) or 0) < 0 and not _has_zero(row)]
    if not lower:
        return ()
    first = " · ".join(f"{_name(row.get('stratum'))} {_change(row, unit=False)}" for row in lower[:MOST_STRATA])
    higher = sum((number(row["difference"]) or 0) > 0 and not _has_zero(row) for row in rows)
    unchanged = len(rows) - len(lower) - higher
    counts = ((len(lower) - MOST_STRATA, "more"), (unchanged, "unchanged"), (higher, "better"))
    rest = ", ".join(f"{count} {word}" for count, word in counts if count > 0)
    return (f"{first}{f' … {rest}' if rest else ''}",)


def lost_lines(data: Data) -> tuple[str, ...]:
    """Lost queries with the expected document, its rank before and now, and the document that is first now."""
    return tuple(one_line(_lost_line(query), LONGEST_LINE) for query in (data.get("lost_queries") or ())[:MOST_LINES])


def next_lines(data: Data) -> tuple[str, ...]:
    """The advice, with the deployment to return to."""
    advice = one_line(data.get("advice"), 200).rstrip(".")
    baseline = _name((data.get("deployment") or {}).get("baseline"))
    return (f"{advice} to {baseline}" if advice == "roll back" and baseline else advice,) if advice else ()


def certainty_lines(data: Data) -> tuple[str, ...]:
    """How sure it is: the p-value, the sample, and the smallest drop that would have paged."""
    row = data.get("headline") or {}
    p_value, detectable = number(row.get("p_worse_adjusted")), number(row.get("mde_page"))
    queries, clusters = number(row.get("n_queries")), number(row.get("n_clusters"))
    size = f"{queries:,.0f} queries in {clusters:,.0f} clusters" if queries and clusters else ""
    facts = ", ".join(filter(None, (f"adjusted p = {p_value:.1g}" if p_value is not None else "", size)))
    scale, digits, unit = _unit(row)
    sensitivity = (
        f"drops from {scale * detectable:.{digits}f} {unit} would have been seen" if detectable is not None else ""
    )
    line = "; ".join(filter(None, (facts, sensitivity)))
    return (line,) if line else ()


def drop_lines(rows: Sequence[Data]) -> tuple[str, ...]:
    """One line for each stratum with all of its measures that changed, the whole of each axis first."""
    by_place: dict[str, list[Data]] = {}
    for row in rows:
        by_place.setdefault(_stratum(row), []).append(row)
    lines = [one_line(f"{place}: {_measures(group)}", LONGEST_LINE) for place, group in by_place.items()]
    rest = len(lines) - MOST_LINES
    return (*lines[:MOST_LINES], *((f"… {rest} more",) if rest > 0 else ()))


def measure_of(row: Data) -> Measure | None:
    """The measure of an evidence row; None if it is not known."""
    try:
        return parse(str(row.get("measure"))).measure
    except ComparisonError:
        return None


def _event(data: Data, at: datetime) -> str:
    target, kind = _name(data.get("target")), str(data.get("kind") or "")
    if kind == "no_data":
        return f"No data about {target}"
    if kind == "dead_letter":
        return f"Notifier {_name(data.get('subject'))} does not deliver alerts"
    measure = measure_of(data.get("headline") or {})
    subject = "Answers of" if measure is not None and measure.needs.is_answer else "Search on"
    again = " again" if data.get("reopened") else ""
    return f"{subject} {target or 'an unnamed target'} got worse{again}{_origin(data.get('deployment') or {}, at)}"


def _origin(deployment: Data, at: datetime) -> str:
    name = one_line(deployment.get("candidate"), LONGEST_NAME)
    since = format_clock(deployment.get("since"), at)
    by = _name(deployment.get("declared_by"))
    has_name = bool(name) and not name.startswith("unnamed")
    declared = deployment.get("declared")
    if declared is None or not since:
        return f" after {name}" if has_name else ""
    how = f"declared {since}{f' by {by}' if by else ''}" if declared else f"detected {since}"
    return f" after {name} ({how})" if has_name else f" after a silent change ({how})"


def _ending(data: Data, event: str) -> str:
    if data.get("kind") == "no_data":
        return f"data about {_name(data.get('target'))} arrives again"
    if data.get("kind") == "dead_letter":
        return f"notifier {_name(data.get('subject'))} delivers again"
    ending = _ENDINGS.get(str(data.get("resolution")))
    subject = _lowered(event.partition(" got worse")[0])
    return f"{subject} {ending}" if ending else _lowered(event)


def _lowered(event: str) -> str:
    return event[:1].lower() + event[1:]


def _name(value: object) -> str:
    return one_line(value, LONGEST_NAME)


def _of_a_hundred(difference: float) -> str:
    lost = -100 * difference
    return f"{lost:.0f} of 100" if lost >= 1 else f"{lost:.1f} of 100"


def _unit(row: Data) -> tuple[float, int, str]:
    """Scale, digits and unit of a measure; the points of a ratio where it is not known."""
    measure = measure_of(row)
    return (100, 0, "points") if measure is None or measure.unit == "ratio" else (1, 2, measure.unit)


def _place(row: Data) -> str:
    names = (row.get("axis"), None if row.get("stratum") in _WHOLE else row.get("stratum"), row.get("measure"))
    return " ".join(_name(each) for each in names if each)


def _stratum(row: Data) -> str:
    axis, stratum = _name(row.get("axis")), row.get("stratum")
    return f"whole {axis} axis" if stratum in _WHOLE else f"{axis} {_name(stratum)}".strip()


def _means(row: Data) -> str:
    before, after = number(row.get("baseline_mean")), number(row.get("candidate_mean"))
    return f"{before:.3f} → {after:.3f}" if before is not None and after is not None else ""


def _change(row: Data, *, unit: bool = True) -> str:
    scale, digits, name = _unit(row)
    value = scale * (number(row.get("difference")) or 0.0)
    digits += abs(value) < 10 and digits == 0
    return f"{signed(value, digits)}{f' {name}' if unit else ''}"


def _interval(row: Data) -> str:
    scale, digits, name = _unit(row)
    lower, upper = number(row.get("lower")), number(row.get("upper"))
    if lower is None or upper is None:
        return _change(row)
    near, far = sorted((lower, upper), key=abs)
    return f"{signed(scale * near, digits)} to {signed(scale * far, digits)} {name}"


def _has_zero(row: Data) -> bool:
    lower, upper = number(row.get("lower")), number(row.get("upper"))
    return lower is not None and upper is not None and lower <= 0 <= upper


def _structure(data: Data) -> str:
    row = data.get("gain") or {}
    gain = number(row.get("difference"))
    if gain is None:
        return ""
    if _has_zero(row) or gain == 0:
        return "Structure gained nothing."
    return f"Structure {'gained' if gain > 0 else 'lost'}: {_place(row)} {_means(row)} ({_interval(row)})."


def _measures(rows: Sequence[Data]) -> str:
    first, others = rows[0], rows[1:]
    has_risen = (number(first.get("difference")) or 0) > 0
    p_value = number(first.get("p_better_adjusted" if has_risen else "p_worse_adjusted"))
    sure = f", adjusted p = {p_value:.1g}" if p_value is not None else ""
    also = ", ".join(f"{_name(row.get('measure'))} {_change(row, unit=False)}" for row in others[:4])
    line = f"{_name(first.get('measure'))} {_means(first)} ({_interval(first)}{sure})"
    return f"{line}; also {also}" if also else line


def _lost_line(query: Data) -> str:
    text = one_line(query.get("query"), LONGEST_QUERY)
    name = f"“{text}”" if text and not text.startswith("sha256:") else _name(query.get("query_id"))
    stratum = _name(query.get("stratum"))
    expected, now = query.get("expected") or [], query.get("retrieved_now") or []
    parts = [f"wanted {_document(query, expected[0])}, {_ranks(query)}" if expected else _ranks(query)]
    parts += [f"now first: {_document(query, now[0])}" if now else "now nothing"]
    return f"{name}{f' ({stratum})' if stratum else ''} {'; '.join(parts)}{_answers(query)}"


def _document(query: Data, doc_id: object) -> str:
    return clip(one_line((query.get("titles") or {}).get(str(doc_id)), 70) or _name(doc_id), 70)


def _ranks(query: Data) -> str:
    before, now = query.get("rank_before"), query.get("rank_now")
    return f"rank {before if before else 'not found'} → {now if now else 'not found'}"


def _answers(query: Data) -> str:
    now = one_line(query.get("answer_now"), 80)
    return f"; now answers “{now}”" if now else ""

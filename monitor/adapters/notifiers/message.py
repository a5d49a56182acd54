"""The readable message of an alert, the same in every notifier. Pure.

Every text is a single line of bounded length without control characters, so that no payload produces a message that a
service rejects. Keys that are absent from the payload are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from monitor.errors import ComparisonError
from monitor.evaluation.measures import parse
from monitor.model.alerts import Alert

LONGEST_TITLE, LONGEST_TEXT, LONGEST_FACT, LONGEST_LINE, LONGEST_URL = 150, 1_000, 200, 300, 800
MOST_LINES, MOST_LINKS = 5, 4
_CLOSED_STATES = frozenset({"resolved", "dismissed"})


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and its list of lines."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A labelled address."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The readable parts of an alert."""

    state: str
    is_closed: bool
    """Whether the incident is resolved or dismissed."""
    severity: str
    """``critical``, ``warning`` or ``info``; empty if the alert has none."""
    target: str
    title: str
    text: str
    """Summary and advice."""
    facts: Mapping[str, str]
    """Label to value, at most ten, in reading order."""
    parts: tuple[Part, ...]
    """Drops, gains and most affected queries. A message that is too long drops its final part first."""
    links: tuple[Link, ...]
    command: str
    """The next command to run; empty if there is none."""
    opened_at: datetime
    ended_at: datetime | None
    """When the incident was closed; None while it is open."""


def render(alert: Alert) -> Message:
    """The message of an alert."""
    data = alert.payload.get("data") or {}
    state, target = one_line(alert.state, 40), one_line(data.get("target"), LONGEST_FACT)
    prefix = "TEST " if data.get("test") else ""
    is_closed = state in _CLOSED_STATES
    return Message(
        state=state,
        is_closed=is_closed,
        severity=one_line(data.get("severity"), 40),
        target=target,
        title=one_line(f"{prefix}[{_state_label(state, data)}] {target}: {_incident_type(data)}", LONGEST_TITLE),
        text=_text(data),
        facts=_facts(data),
        parts=_parts(data),
        links=_links(data.get("links") or {}),
        command=one_line(data.get("next_command"), LONGEST_LINE),
        opened_at=_instant(data.get("opened_at")) or alert.created_at,
        ended_at=(_instant(data.get("resolved_at")) or alert.created_at) if is_closed else None,
    )


def plain_text(message: Message) -> str:
    """The whole message as plain text, for services without formatting."""
    facts = "\n".join(f"{name}: {value}" for name, value in message.facts.items())
    parts = ["\n".join((f"{part.title}:", *(f"- {line}" for line in part.lines))) for part in message.parts]
    command = f"Next command:\n    {message.command}" if message.command else ""
    links = "\n".join(f"{link.label}: {link.url}" for link in message.links)
    return "\n\n".join(filter(None, (message.text, facts, *parts, command, links)))


Content = str | bytes


def fit(message: Message, write: Callable[[Message], Content], limit: int) -> Content:
    """The written message, at most ``limit`` long; parts are dropped from the end until it fits."""
    while len(content := write(message)) > limit and message.parts:
        message = replace(message, parts=message.parts[:-1])
    return content


def clip(text: str, limit: int) -> str:
    """The text in at most ``limit`` characters; a longer one is cut and ends with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def one_line(value: object, limit: int) -> str:
    """A value as one printable line: no line breaks, control characters or lone surrogates."""
    text = "" if value is None else str(value)[: 4 * limit].encode("utf-8", "replace").decode("utf-8")
    return clip(" ".join("".join(c if c.isprintable() else " " for c in text).split()), limit)


def _state_label(state: str, data: Mapping[str, Any]) -> str:
    return "FIRING AGAIN" if state == "firing" and data.get("reopened") else state.upper()


def _incident_type(data: Mapping[str, Any]) -> str:
    """The verdict; without one, the kind of the incident."""
    return one_line(data.get("verdict") or data.get("kind") or "alert", 60).replace("_", " ")


def _text(data: Mapping[str, Any]) -> str:
    summary, advice = one_line(data.get("summary"), LONGEST_TEXT - 250), one_line(data.get("advice"), 200)
    return " ".join(filter(None, (summary, f"Advice: {advice}." if advice else "")))


def _facts(data: Mapping[str, Any]) -> dict[str, str]:
    deployment = data.get("deployment") or {}
    facts = {
        "Target": data.get("target"),
        "Type": _incident_type(data),
        "Severity": data.get("severity"),
        "Owner": data.get("owner"),
        "Opened": _format_time(data.get("opened_at")),
        "Resolved": _format_time(data.get("resolved_at")),
        "Duration": _format_duration(data.get("duration_s")),
        "Baseline": deployment.get("baseline"),
        "Current deployment": _candidate(deployment),
        "Acknowledged by": data.get("acknowledged_by"),
    }
    lines = {name: one_line(value, LONGEST_FACT) for name, value in facts.items()}
    return {name: line for name, line in lines.items() if line}


def _candidate(deployment: Mapping[str, Any]) -> str:
    name = one_line(deployment.get("candidate"), LONGEST_FACT - 70)
    origin = {"True": "declared", "False": "detected from rankings"}.get(str(deployment.get("declared")), "")
    since = _format_time(deployment.get("since"))
    return ", ".join(filter(None, (name, origin, f"since {since}" if since else "")))


def _parts(data: Mapping[str, Any]) -> tuple[Part, ...]:
    parts = (
        _part("Drops", _by_difference(data.get("fallen")), _evidence_line),
        _part("Gains", _by_difference(data.get("risen"))[::-1], _evidence_line),
        _part("Most affected queries", data.get("lost_queries") or (), _query_line),
    )
    return tuple(part for part in parts if part.lines)


def _part(title: str, items: Sequence[Mapping[str, Any]], format_item: Callable[[Mapping[str, Any]], str]) -> Part:
    lines = [one_line(format_item(item), LONGEST_LINE) for item in items[:MOST_LINES]]
    remainder = [f"… and {len(items) - MOST_LINES} more"] if len(items) > MOST_LINES else []
    return Part(title, (*lines, *remainder))


def _by_difference(evidence: Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    return sorted(evidence or (), key=lambda row: _number(row.get("difference")) or 0.0)


def _evidence_line(evidence: Mapping[str, Any]) -> str:
    stratum, has_risen = evidence.get("stratum"), (_number(evidence.get("difference")) or 0) > 0
    where = [evidence.get("axis"), None if stratum == "overall" else stratum, evidence.get("measure")]
    is_ratio = _unit_of(evidence.get("measure")) == "ratio"
    digits, unit, scale = (".1f", "points", 100) if is_ratio else (".2f", "standard deviations", 1)
    numbers = [
        _format("{:.3f} → {:.3f}", evidence, "baseline_mean", "candidate_mean"),
        _format(f"{{:+{digits}}} {unit}", evidence, "difference", scale=scale),
        _format(f"95 % interval {{:+{digits}}} … {{:+{digits}}}", evidence, "lower", "upper", scale=scale),
        _format("adjusted p = {:.2g}", evidence, "p_better_adjusted" if has_risen else "p_worse_adjusted"),
        _format("{:.0f} queries", evidence, "n_queries"),
        _format("{:.0f} clusters", evidence, "n_clusters"),
        _format(f"a page detects drops from {{:{digits}}} {unit}", evidence, "mde_page", scale=scale),
    ]
    return f"{' '.join(one_line(label, 60) for label in where if label)}: {', '.join(filter(None, numbers))}"


def _unit_of(measure: Any) -> str:
    """The unit of a measure; the points of a ratio where it is not known."""
    try:
        return parse(str(measure)).measure.unit
    except ComparisonError:
        return "ratio"


def _query_line(query: Mapping[str, Any]) -> str:
    # The query's text can be long or withheld; it is limited so that the documents after it stay visible.
    text = one_line(query.get("query"), 120)
    name = f"“{text}”" if text else one_line(query.get("query_id"), 60)
    stratum = one_line(query.get("stratum"), 40)
    documents = [
        f"{label} {one_line(', '.join(one_line(doc_id, 60) for doc_id in query[key][:3]), 60)}"
        for label, key in (("expected", "expected"), ("before", "retrieved_before"), ("now", "retrieved_now"))
        if query.get(key)
    ]
    return f"{name}{f' ({stratum})' if stratum else ''}: {'; '.join(documents)}"


def _links(links: Mapping[str, Any]) -> tuple[Link, ...]:
    usual = ("run", "comparison", "dashboard", "runbook")
    urls = [(name, links.get(name)) for name in (*usual, *(name for name in links if name not in usual))]
    # A shortened address would be wrong, so an address that is too long is left out.
    valid = [(name, url) for name, url in urls if isinstance(url, str) and len(url) <= LONGEST_URL and _is_address(url)]
    return tuple(Link(one_line(name, 40).capitalize(), url) for name, url in valid[:MOST_LINKS])


def _is_address(url: str) -> bool:
    return (
        url.startswith(("http://", "https://")) and url.isascii() and url.isprintable() and not set(url) & set(' <>"|')
    )


def _format(template: str, evidence: Mapping[str, Any], *keys: str, scale: float = 1) -> str:
    """The formatted numbers; empty if one of them is absent or not finite."""
    numbers = [_number(evidence.get(key)) for key in keys]
    return "" if None in numbers else template.format(*(scale * number for number in numbers if number is not None))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _instant(value: object) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _format_time(value: object) -> str:
    instant = _instant(value)
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if instant else ""


def _format_duration(value: object) -> str:
    seconds = _number(value)
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    days, hours = divmod(minutes // 60, 24)
    units = ((days, "d"), (hours, "h"), (minutes % 60, "min"))
    return " ".join(f"{count} {unit}" for count, unit in units if count) or "less than a minute"

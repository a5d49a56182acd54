"""The readable message of an alert, the same in every notifier. Pure.

The first line is for people: what got worse, since which deployment. The cause, the blame, the lost queries and the
next step follow, and the statistics come last. Every text is a single line of bounded length without control
characters, so that no payload produces a message that a service rejects. Keys that are absent are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from monitor.adapters.notifiers import wording
from monitor.adapters.notifiers.texts import clip, format_duration, format_time, instant, number, one_line
from monitor.model.alerts import Alert

LONGEST_TITLE, LONGEST_TEXT, LONGEST_FACT, LONGEST_LINE, LONGEST_URL = 150, 750, 200, 400, 800
MOST_LINKS, MOST_BARS = 6, 14
PRODUCT = "recallwatch"
_CLOSED_STATES = frozenset({"resolved", "dismissed"})
_USUAL_LINKS = ("acknowledge", "comparison", "incident", "runbook", "dashboard", "run")


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
class Bar:
    """One stratum of a forest plot: the change with its interval, in the measure's own units."""

    label: str
    difference: float
    lower: float
    upper: float


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
    """The first line."""
    subject: str
    """Product, severity, title and size in one line: the subject of a mail."""
    text: str
    """The extent of the drop, or the summary of another incident."""
    facts: Mapping[str, str]
    """Label to value, at most ten, in reading order."""
    parts: tuple[Part, ...]
    """Cause, blame, worst strata, lost queries, next step, statistics. A message that is too long drops its final
    part first."""
    bars: tuple[Bar, ...]
    """The headline's measure over the whole axis and in each stratum, as a forest plot draws it."""
    links: tuple[Link, ...]
    command: str
    """The next command to run; empty if there is none."""
    incident: str
    """The beginning of the incident's id, which commands accept; empty if there is none."""
    opened_at: datetime
    ended_at: datetime | None
    """When the incident was closed; None while it is open."""


def render(alert: Alert) -> Message:
    """The message of an alert."""
    data = alert.payload.get("data") or {}
    state = one_line(alert.state, 40)
    is_closed = state in _CLOSED_STATES
    title = one_line(wording.title_of(data, state, alert.created_at), LONGEST_TITLE)
    severity = one_line(data.get("severity"), 40)
    return Message(
        state=state,
        is_closed=is_closed,
        severity=severity,
        target=one_line(data.get("target"), LONGEST_FACT),
        title=title,
        subject=_subject(title, "" if is_closed else severity, "" if is_closed else wording.size_of(data)),
        text=_text(data, state),
        facts=_facts(data),
        parts=_parts(data, is_closed=is_closed),
        bars=_bars(data),
        links=_links(data.get("links") or {}, state),
        command=one_line(data.get("next_command"), LONGEST_LINE),
        incident=_short_id(alert.incident_id) if data.get("incident_id") else "",
        opened_at=instant(data.get("opened_at")) or alert.created_at,
        ended_at=(instant(data.get("resolved_at")) or alert.created_at) if is_closed else None,
    )


def plain_text(message: Message) -> str:
    """The whole message as plain text, for services without formatting."""
    parts = ["\n".join((f"{part.title}:", *(f"- {line}" for line in part.lines))) for part in message.parts]
    command = f"Look closer with:\n    {message.command}" if message.command else ""
    facts = "\n".join(f"{name}: {value}" for name, value in message.facts.items())
    links = "\n".join(f"{link.label}: {link.url}" for link in message.links)
    acknowledge = f"Acknowledge with:\n    {acknowledge_command(message)}" if acknowledge_command(message) else ""
    return "\n\n".join(filter(None, (message.title, message.text, *parts, command, acknowledge, links, facts)))


def acknowledge_command(message: Message) -> str:
    """The command that acknowledges the incident; empty if there is nothing to acknowledge."""
    can_be = bool(message.incident) and message.state in ("firing", "reopened", "reminder")
    return f"{PRODUCT} incident acknowledge {message.incident}" if can_be else ""


Content = str | bytes


def fit(message: Message, write: Callable[[Message], Content], limit: int) -> Content:
    """The written message, at most ``limit`` long; parts are dropped from the end until it fits."""
    while len(content := write(message)) > limit and message.parts:
        message = replace(message, parts=message.parts[:-1])
    return content


def _short_id(incident_id: str) -> str:
    """The beginning of an id that is long enough to be unique in practice, without the word before it."""
    return one_line(incident_id, LONGEST_FACT).removeprefix("incident_")[:8]


def _subject(title: str, severity: str, size: str) -> str:
    label = f"{PRODUCT} {severity}".rstrip()
    return clip(f"[{label}] {title}{f': {size}' if size else ''}", 2 * LONGEST_TITLE)


def _text(data: Mapping[str, Any], state: str) -> str:
    """The extent; for any other message than the first one its own summary comes first."""
    summary, extent = (one_line(text, LONGEST_TEXT) for text in (data.get("summary"), wording.extent_of(data)))
    if state in ("firing", "reopened", "reminder"):
        reason = one_line(data.get("reason"), LONGEST_FACT)
        return f"{extent} {reason}".strip() if data.get("reopened") else extent
    return summary or extent


def _facts(data: Mapping[str, Any]) -> dict[str, str]:
    deployment = data.get("deployment") or {}
    facts = {
        "Severity": data.get("severity"),
        "Owner": data.get("owner"),
        "Type": str(data.get("verdict") or data.get("kind") or "").replace("_", " "),
        "Baseline": deployment.get("baseline"),
        "Serving": deployment.get("candidate"),
        "Opened": format_time(data.get("opened_at")),
        "Acknowledged by": data.get("acknowledged_by"),
        "Resolved": format_time(data.get("resolved_at")),
        "Duration": format_duration(data.get("duration_s")),
        "Incident": data.get("incident_id"),
    }
    lines = {name: one_line(value, LONGEST_FACT) for name, value in facts.items()}
    return {name: line for name, line in lines.items() if line}


def _parts(data: Mapping[str, Any], *, is_closed: bool) -> tuple[Part, ...]:
    if is_closed:  # what to do is history
        lines_by_title = {"Lost": wording.lost_lines(data)}
    else:
        lines_by_title = {
            "Likely cause": wording.cause_lines(data),
            "Blame": wording.blame_lines(data),
            "Worst": wording.worst_lines(data),
            "Lost": wording.lost_lines(data),
            "Next": wording.next_lines(data),
            "How sure": wording.certainty_lines(data),
            "Drops": wording.drop_lines(data.get("fallen") or ()),
            "Gains": wording.drop_lines(data.get("risen") or ()),
        }
    return tuple(
        Part(title, tuple(one_line(line, LONGEST_LINE) for line in lines))
        for title, lines in lines_by_title.items()
        if lines
    )


def _bars(data: Mapping[str, Any]) -> tuple[Bar, ...]:
    headline, strata = data.get("headline"), list(data.get("strata") or ())
    if headline and headline.get("stratum") in ("overall", "phenomena"):
        strata.insert(0, {**headline, "stratum": "whole axis"})
    bars = [
        Bar(label=one_line(row.get("stratum"), 30), difference=difference, lower=lower, upper=upper)
        for row in strata
        if (difference := number(row.get("difference"))) is not None
        and (lower := number(row.get("lower"))) is not None
        and (upper := number(row.get("upper"))) is not None
    ]
    return tuple(bars[:MOST_BARS])


def _links(links: Mapping[str, Any], state: str) -> tuple[Link, ...]:
    names = [*_USUAL_LINKS, *(name for name in links if name not in _USUAL_LINKS)]
    if state not in ("firing", "reopened", "reminder"):
        names.remove("acknowledge")
    urls = [(name, links.get(name)) for name in names]
    # A shortened address would be wrong, so an address that is too long is left out.
    valid = [(name, url) for name, url in urls if isinstance(url, str) and len(url) <= LONGEST_URL and _is_address(url)]
    return tuple(Link(one_line(name, 40).capitalize(), url) for name, url in valid[:MOST_LINKS])


def _is_address(url: str) -> bool:
    return (
        url.startswith(("http://", "https://")) and url.isascii() and url.isprintable() and not set(url) & set(' <>"|')
    )

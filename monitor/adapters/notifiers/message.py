"""What a person reads of an alert, the same in every notifier. Pure.

Every text is one line without control characters and has a length that is bounded here, so that no payload, however
large or odd, makes a message that a service refuses; what is absent from the payload is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from monitor.model.alerts import Alert

LONGEST_TITLE, LONGEST_TEXT, LONGEST_FACT, LONGEST_LINE, LONGEST_URL = 150, 1_000, 200, 300, 800
MOST_LINES, MOST_LINKS = 5, 4
_OVER = frozenset({"resolved", "dismissed"})


@dataclass(frozen=True, slots=True)
class Part:
    """A list under a heading."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """Somewhere to look."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Message:
    """An alert in words."""

    state: str
    is_closed: bool
    """Whether the incident needs nobody any more."""
    severity: str
    """``critical``, ``warning`` or ``info``; empty where the alert does not say."""
    target: str
    title: str
    text: str
    """Summary and advice."""
    facts: Mapping[str, str]
    """At most ten, in the order in which they are read."""
    parts: tuple[Part, ...]
    """What fell, what rose, which queries lost most; the last is the first to be left out."""
    links: tuple[Link, ...]
    command: str
    """What to run next; empty if there is nothing."""
    opened_at: datetime
    ended_at: datetime | None
    """When the incident was over; None while it is not."""


def render(alert: Alert) -> Message:
    """The message of an alert."""
    data = alert.payload.get("data") or {}
    state, target = one_line(alert.state, 40), one_line(data.get("target"), LONGEST_FACT)
    mark = "TEST " if data.get("test") else ""
    is_closed = state in _OVER
    return Message(
        state=state,
        is_closed=is_closed,
        severity=one_line(data.get("severity"), 40),
        target=target,
        title=one_line(f"{mark}[{_shout(state, data)}] {target}: {_matter(data)}", LONGEST_TITLE),
        text=_text(data),
        facts=_facts(data),
        parts=_parts(data),
        links=_links(data.get("links") or {}),
        command=one_line(data.get("next_command"), LONGEST_LINE),
        opened_at=_instant(data.get("opened_at")) or alert.created_at,
        ended_at=(_instant(data.get("resolved_at")) or alert.created_at) if is_closed else None,
    )


def plain_text(message: Message) -> str:
    """The whole message as text, for services that show nothing else."""
    facts = "\n".join(f"{name}: {value}" for name, value in message.facts.items())
    parts = ["\n".join((f"{part.title}:", *(f"- {line}" for line in part.lines))) for part in message.parts]
    command = f"Next:\n    {message.command}" if message.command else ""
    links = "\n".join(f"{link.label}: {link.url}" for link in message.links)
    return "\n\n".join(filter(None, (message.text, facts, *parts, command, links)))


Content = str | bytes


def fit(message: Message, write: Callable[[Message], Content], limit: int) -> Content:
    """The message as written, parts left out from the end until no more than ``limit`` remains."""
    while len(content := write(message)) > limit and message.parts:
        message = replace(message, parts=message.parts[:-1])
    return content


def clip(text: str, limit: int) -> str:
    """The text, or its beginning with an ellipsis, in at most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def one_line(value: object, limit: int) -> str:
    """A value as one clean line: no line breaks, no control characters, no half of a surrogate pair."""
    text = "" if value is None else str(value)[: 4 * limit].encode("utf-8", "replace").decode("utf-8")
    return clip(" ".join("".join(c if c.isprintable() else " " for c in text).split()), limit)


def _shout(state: str, data: Mapping[str, Any]) -> str:
    return "FIRING AGAIN" if state == "firing" and data.get("reopened") else state.upper()


def _matter(data: Mapping[str, Any]) -> str:
    """What is the matter: the verdict, or, where there is none, the kind of the incident."""
    return one_line(data.get("verdict") or data.get("kind") or "alert", 60).replace("_", " ")


def _text(data: Mapping[str, Any]) -> str:
    summary, advice = one_line(data.get("summary"), LONGEST_TEXT - 250), one_line(data.get("advice"), 200)
    return " ".join(filter(None, (summary, f"Advice: {advice}." if advice else "")))


def _facts(data: Mapping[str, Any]) -> dict[str, str]:
    deployment = data.get("deployment") or {}
    stated = {
        "Target": data.get("target"),
        "Matter": _matter(data),
        "Severity": data.get("severity"),
        "Owner": data.get("owner"),
        "Opened": _moment(data.get("opened_at")),
        "Resolved": _moment(data.get("resolved_at")),
        "Lasted": _duration(data.get("duration_s")),
        "Baseline": deployment.get("baseline"),
        "Serving now": _candidate(deployment),
        "Acknowledged by": data.get("acknowledged_by"),
    }
    lines = {name: one_line(value, LONGEST_FACT) for name, value in stated.items()}
    return {name: line for name, line in lines.items() if line}


def _candidate(deployment: Mapping[str, Any]) -> str:
    known = {"True": "declared", "False": "noticed in the rankings"}.get(str(deployment.get("declared")), "")
    since = _moment(deployment.get("since"))
    named = (one_line(deployment.get("candidate"), LONGEST_FACT - 70), known, f"since {since}" if since else "")
    return ", ".join(filter(None, named))


def _parts(data: Mapping[str, Any]) -> tuple[Part, ...]:
    parts = (
        _part("Fell", _by_difference(data.get("fallen")), _moved),
        _part("Rose", _by_difference(data.get("risen"))[::-1], _moved),
        _part("Lost most", data.get("lost_queries") or (), _lost),
    )
    return tuple(part for part in parts if part.lines)


def _part(title: str, told: Sequence[Mapping[str, Any]], say: Callable[[Mapping[str, Any]], str]) -> Part:
    shown = [one_line(say(each), LONGEST_LINE) for each in told[:MOST_LINES]]
    more = [f"… and {len(told) - MOST_LINES} more"] if len(told) > MOST_LINES else []
    return Part(title, (*shown, *more))


def _by_difference(evidence: Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    return sorted(evidence or (), key=lambda each: _number(each.get("difference")) or 0.0)


def _moved(evidence: Mapping[str, Any]) -> str:
    stratum, has_risen = evidence.get("stratum"), (_number(evidence.get("difference")) or 0) > 0
    where = [evidence.get("axis"), None if stratum == "overall" else stratum, evidence.get("measure")]
    numbers = [
        _format("{:.3f} → {:.3f}", evidence, "baseline_mean", "candidate_mean"),
        _format("{:+.1f} points", evidence, "difference", scale=100),
        _format("95 % interval {:+.1f} … {:+.1f}", evidence, "lower", "upper", scale=100),
        _format("adjusted p = {:.2g}", evidence, "p_better_adjusted" if has_risen else "p_worse_adjusted"),
        _format("{:.0f} queries", evidence, "n_queries"),
        _format("{:.0f} clusters", evidence, "n_clusters"),
        _format("detectable from {:.1f}", evidence, "mde", scale=100),
    ]
    return f"{' '.join(one_line(each, 60) for each in where if each)}: {', '.join(filter(None, numbers))}"


def _lost(query: Mapping[str, Any]) -> str:
    # The text comes first and can be long, or withheld by policy; the documents behind it must stay to be seen.
    text = one_line(query.get("query"), 120)
    asked = f"“{text}”" if text else one_line(query.get("query_id"), 60)
    stratum = one_line(query.get("stratum"), 40)
    documents = [
        f"{said} {one_line(', '.join(one_line(each, 60) for each in query[key][:3]), 60)}"
        for said, key in (("expected", "expected"), ("before", "retrieved_before"), ("now", "retrieved_now"))
        if query.get(key)
    ]
    return f"{asked}{f' ({stratum})' if stratum else ''}: {'; '.join(documents)}"


def _links(links: Mapping[str, Any]) -> tuple[Link, ...]:
    known = ("run", "comparison", "dashboard", "runbook")
    found = [(name, links.get(name)) for name in (*known, *(name for name in links if name not in known))]
    # A shortened address would lead astray, so one that is too long is left out.
    shown = [
        (name, url) for name, url in found if isinstance(url, str) and len(url) <= LONGEST_URL and _is_address(url)
    ]
    return tuple(Link(one_line(name, 40).capitalize(), url) for name, url in shown[:MOST_LINKS])


def _is_address(url: str) -> bool:
    return (
        url.startswith(("http://", "https://")) and url.isascii() and url.isprintable() and not set(url) & set(' <>"|')
    )


def _format(template: str, evidence: Mapping[str, Any], *keys: str, scale: float = 1) -> str:
    """The numbers in words; nothing if one of them is absent or not finite."""
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


def _moment(value: object) -> str:
    instant = _instant(value)
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if instant else ""


def _duration(value: object) -> str:
    seconds = _number(value)
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    days, hours = divmod(minutes // 60, 24)
    stated = ((days, "d"), (hours, "h"), (minutes % 60, "min"))
    return " ".join(f"{count} {unit}" for count, unit in stated if count) or "less than a minute"

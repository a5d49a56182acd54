"""Operational incidents: a schedule without data, or a notifier that cannot deliver alerts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from monitor.incidents.identity import identify
from monitor.incidents.lifecycle import Step
from monitor.incidents.payload import alert_of
from monitor.incidents.routing import OnCall
from monitor.model.alerts import AlertState
from monitor.model.incidents import Incident, IncidentKind, IncidentStatus, Resolution, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of recallwatch itself: the failed part, a summary, and the remedy."""

    kind: IncidentKind
    subject: str
    """Name of the schedule or notifier."""
    target: str
    summary: str
    advice: str
    next_command: str
    severity: Severity = Severity.WARNING
    suites: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()

    @property
    def dedup_key(self) -> str:
        """One key per schedule and per notifier."""
        return f"recallwatch/{self.kind}/{self.subject}"


def no_data(
    schedule: str,
    target: str,
    *,
    suites: Sequence[str],
    axes: Sequence[str],
    silent_s: float,
    last_at: datetime | None,
    problem: str,
) -> Fault:
    """A schedule whose run did not start, did not finish, or had too little coverage."""
    last_run = "No run has succeeded yet."
    if last_at is not None:
        last_run = f"The last successful run finished at {last_at:%Y-%m-%d %H:%M} UTC."
    failure = f" The last cycle failed: {problem}." if problem else ""
    suite_options = (argument for suite in suites for argument in ("--suite", suite))
    return Fault(
        kind=IncidentKind.NO_DATA,
        subject=schedule,
        target=target,
        summary=f"{target} has not been judged by schedule {schedule} for {_format_duration(silent_s)}. "
        f"{last_run}{failure}",
        advice="fix the target, the database or the network; quality is not evaluated until a run succeeds",
        next_command=shlex.join(("recallwatch", "run", "--target", target, *suite_options)),
        suites=tuple(suites),
        axes=tuple(axes),
    )


def dead_letter(notifier: str, target: str, severity: Severity, *, alert_id: str, problem: str) -> Fault:
    """A notifier that fails to deliver an alert."""
    return Fault(
        kind=IncidentKind.DEAD_LETTER,
        subject=notifier,
        target=target,
        summary=f"Notifier {notifier} does not deliver an alert about {target}: {problem} ({alert_id}). "
        "It is retried at least every ten minutes while the incident lasts.",
        advice=f"fix notifier {notifier}, then run `recallwatch notify retry {shlex.quote(notifier)}`",
        next_command=shlex.join(("recallwatch", "notify", "test", notifier)),
        severity=severity,
    )


def open_incident(current: Incident | None, fault: Fault, on_call: OnCall, *, at: datetime) -> Step:
    """The incident of a fault, and its alert; unchanged if the incident is already active.

    The alert about a notifier that cannot deliver goes to the other notifiers of its route, or to all others if the
    route has no other.
    """
    if current is not None and current.is_active:
        return current, ()
    incident = Incident(
        # The earlier incident is part of the origin: a fault may return within one tick of the clock.
        incident_id=identify(
            f"{fault.dedup_key}/{at.isoformat()}/{current.incident_id if current else ''}", "incident"
        ),
        dedup_key=fault.dedup_key,
        target=fault.target,
        opened_at=at,
        kind=fault.kind,
        subject=fault.subject,
        status=IncidentStatus.OPEN,
        severity=fault.severity,
        verdict_name=str(fault.kind),
        summary=fault.summary,
        recovering=dict.fromkeys(fault.suites, 0),
        axes=fault.axes,
        fired_at=at,
    )
    facts = {"advice": fault.advice, "next_command": fault.next_command}
    alert = alert_of(incident, AlertState.FIRING, on_call, at=at, facts=facts)
    if fault.kind is IncidentKind.DEAD_LETTER:
        others = _without(fault.subject, alert.notifiers) or _without(fault.subject, on_call.notifiers)
        alert = replace(alert, notifiers=others)
    return incident, (alert,)


def resolve_incident(
    current: Incident | None, on_call: OnCall, *, at: datetime, facts: dict[str, Any] | None = None
) -> Step:
    """The resolved incident of a fault; unchanged if it is not open."""
    if current is None or not current.is_open:
        return current, ()
    resolved = replace(
        current,
        status=IncidentStatus.RESOLVED,
        resolved_at=at,
        resolution=Resolution.RECOVERED,
        revision=current.revision + 1,
    )
    return resolved, (alert_of(resolved, AlertState.RESOLVED, on_call, at=at, facts=facts or {}),)


def _without(name: str, notifiers: Sequence[str]) -> tuple[str, ...]:
    return tuple(notifier for notifier in notifiers if notifier != name)


def _format_duration(seconds: float) -> str:
    """A duration in its two largest units.

    >>> _format_duration(5_400), _format_duration(90_061), _format_duration(12)
    ('1 h 30 min', '1 d 1 h', '12 s')
    """
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    remainder, parts = round(seconds), []
    for unit, length in units:
        count, remainder = divmod(remainder, length)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2]) or "0 s"

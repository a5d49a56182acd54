"""Incidents of the watching itself: a schedule that brings no data, a notifier that takes no alerts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from monitor.incidents.lifecycle import Step, identify
from monitor.incidents.payload import alert_of
from monitor.incidents.routing import OnCall
from monitor.model.alerts import AlertState
from monitor.model.incidents import Incident, IncidentKind, IncidentStatus, Resolution, Severity


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, with what, and what to do about it."""

    kind: IncidentKind
    subject: str
    """The schedule or the notifier."""
    target: str
    summary: str
    advice: str
    next_command: str
    severity: Severity = Severity.WARNING
    suites: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()

    @property
    def dedup_key(self) -> str:
        """One key for each schedule and each notifier."""
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
) -> Trouble:
    """A schedule whose run did not happen, did not finish, or brought too little back."""
    seen = f"the last good run finished at {last_at:%Y-%m-%d %H:%M} UTC" if last_at else "none has finished yet"
    return Trouble(
        IncidentKind.NO_DATA,
        schedule,
        target,
        f"{target} has not been measured for {_spoken(silent_s)} by schedule {schedule}: {seen}."
        + (f" The last cycle failed: {problem}." if problem else ""),
        "mend the target, the store or the connection to them; nobody knows whether quality has fallen meanwhile",
        shlex.join(("recallwatch", "run", "--target", target, *(x for each in suites for x in ("--suite", each)))),
        suites=tuple(suites),
        axes=tuple(axes),
    )


def dead_letter(notifier: str, target: str, severity: Severity, *, alert_id: str, problem: str) -> Trouble:
    """A notifier for which an alert had to be given up."""
    return Trouble(
        IncidentKind.DEAD_LETTER,
        notifier,
        target,
        f"The notifier {notifier} did not take an alert about {target}, which was given up: {problem} ({alert_id}).",
        f"mend the notifier {notifier}, and see `recallwatch incident list` for what it did not tell",
        shlex.join(("recallwatch", "notify", "test", notifier)),
        severity,
    )


def begin(found: Incident | None, trouble: Trouble, on_call: OnCall, *, at: datetime) -> Step:
    """The incident of a trouble, and who is told; unchanged if it lasts already.

    Of a notifier that takes nothing only the others are told: those of the route, or all if it names no other.
    """
    if found is not None and found.is_active:
        return found, ()
    incident = Incident(
        identify(f"{trouble.dedup_key}/{at.isoformat()}", "incident"),
        trouble.dedup_key,
        trouble.target,
        at,
        kind=trouble.kind,
        subject=trouble.subject,
        status=IncidentStatus.OPEN,
        severity=trouble.severity,
        verdict_name=str(trouble.kind),
        summary=trouble.summary,
        recovering=dict.fromkeys(trouble.suites, 0),
        axes=trouble.axes,
        fired_at=at,
    )
    facts = {"advice": trouble.advice, "next_command": trouble.next_command}
    alert = alert_of(incident, AlertState.FIRING, on_call, at=at, facts=facts)
    if trouble.kind is IncidentKind.DEAD_LETTER:
        told = _without(trouble.subject, alert.notifiers) or _without(trouble.subject, on_call.notifiers)
        alert = replace(alert, notifiers=told)
    return incident, (alert,)


def end(found: Incident | None, on_call: OnCall, *, at: datetime, facts: dict[str, Any] | None = None) -> Step:
    """The incident of a trouble that is over; unchanged if it is not open."""
    if found is None or not found.is_open:
        return found, ()
    ended = replace(
        found,
        status=IncidentStatus.RESOLVED,
        resolved_at=at,
        resolution=Resolution.RECOVERED,
        revision=found.revision + 1,
    )
    return ended, (alert_of(ended, AlertState.RESOLVED, on_call, at=at, facts=facts or {}),)


def _without(name: str, notifiers: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in notifiers if each != name)


def _spoken(seconds: float) -> str:
    """A duration in its two largest units.

    >>> _spoken(5_400), _spoken(90_061), _spoken(12)
    ('1 h 30 min', '1 d 1 h', '12 s')
    """
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    left, parts = round(seconds), []
    for unit, length in units:
        count, left = divmod(left, length)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2]) or "0 s"

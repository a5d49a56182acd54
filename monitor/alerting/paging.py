"""From what was found to on-call: the incident that follows and its alerts, committed together with the verdict.

Another process that changes the same incident first is a normal answer: then the step is taken anew from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from monitor.incidents.lifecycle import Step, advance, dedup_key
from monitor.incidents.routing import OnCall
from monitor.model.incidents import Change, Incident, IncidentKind
from monitor.model.measurements import Measured
from monitor.model.runs import Run
from monitor.model.verdicts import Verdict
from monitor.ports.store import Store

_SHOWN = 12
"""Characters of a fingerprint that people are shown where a deployment has no name."""


async def page(verdict: Verdict, change: Change, store: Store, on_call: OnCall, *, policy: str) -> Incident | None:
    """Keep the verdict, the incident that it leads to, and the alerts; the incident as it is now."""
    key = dedup_key(verdict.target, change)
    while True:
        found = await store.find_incident(IncidentKind.REGRESSION, verdict.target, key)
        incident, alerts = advance(found, verdict, on_call, change, policy=policy)
        if await store.save_decision(verdict, None if incident is found else incident, alerts):
            return incident


async def move(
    kind: IncidentKind, subject: str, step: Callable[[Incident | None], Step], store: Store, *, dedup_key: str = ""
) -> Incident | None:
    """Take a step of an incident that no verdict is behind; the incident as it is now."""
    while True:
        found = await store.find_incident(kind, subject, dedup_key)
        incident, alerts = step(found)
        if incident is None or incident is found or await store.save_incident(incident, alerts):
            return incident


async def what_changed(
    measured: Sequence[Measured], baselines: Sequence[Measured | None], target: str, store: Store
) -> Change:
    """What is served now against what was trusted, and since when."""
    compared = [(before.run, after.run) for before, after in zip(baselines, measured, strict=True) if before]
    swap = await store.latest_swap(target, [each.suite.name for each in measured])
    return Change(
        baseline=_named(before for before, _ in compared),
        candidate=_named(after for _, after in compared),
        since=swap.detected_at if swap else None,
        declared=swap.declared if swap else None,
        cause=" ".join(filter(None, (f"{swap.cause}." if swap.cause else "", swap.evidence))) if swap else "",
        runs={after.suite_name: (before.run_id, after.run_id) for before, after in compared},
    )


def _named(runs: Iterable[Run]) -> str:
    return " + ".join(dict.fromkeys(_name(run) for run in runs))


def _name(run: Run) -> str:
    is_named = run.deployment not in ("", run.fingerprint)
    return run.deployment if is_named else f"unnamed ({run.fingerprint[:_SHOWN]})"

"""Paging: save a verdict together with the incident and alerts that follow from it.

If another process updates the same incident first, the step is repeated on the new revision.
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

_FINGERPRINT_CHARACTERS = 12
"""Length of the fingerprint that is shown instead of a missing deployment name."""


async def page(verdict: Verdict, change: Change, store: Store, on_call: OnCall, *, policy: str) -> Incident | None:
    """Save the verdict, its incident and alerts in one transaction; return the incident."""
    key = dedup_key(verdict.target, change)
    while True:
        current = await store.find_incident(IncidentKind.REGRESSION, verdict.target, key)
        incident, alerts = advance(current, verdict, on_call, change, policy=policy)
        if await store.save_decision(verdict, None if incident is current else incident, alerts):
            return incident


async def update_incident(
    kind: IncidentKind, subject: str, step: Callable[[Incident | None], Step], store: Store, *, dedup_key: str = ""
) -> Incident | None:
    """Apply a step to an incident without a verdict; return the incident."""
    while True:
        current = await store.find_incident(kind, subject, dedup_key)
        incident, alerts = step(current)
        if incident is None or incident is current or await store.save_incident(incident, alerts):
            return incident


async def describe_change(
    measured: Sequence[Measured], baselines: Sequence[Measured | None], target: str, store: Store
) -> Change:
    """The deployment under test, the baseline's deployment, and the latest swap between them."""
    compared = [(before.run, after.run) for before, after in zip(baselines, measured, strict=True) if before]
    swap = await store.latest_swap(target, [each.suite.name for each in measured])
    return Change(
        baseline=_deployments(before for before, _ in compared),
        candidate=_deployments(after for _, after in compared),
        since=swap.detected_at if swap else None,
        declared=swap.declared if swap else None,
        cause=" ".join(filter(None, (f"{swap.cause}." if swap.cause else "", swap.evidence))) if swap else "",
        runs={after.suite_name: (before.run_id, after.run_id) for before, after in compared},
    )


def _deployments(runs: Iterable[Run]) -> str:
    return " + ".join(dict.fromkeys(_deployment(run) for run in runs))


def _deployment(run: Run) -> str:
    has_name = run.deployment not in ("", run.fingerprint)
    return run.deployment if has_name else f"unnamed ({run.fingerprint[:_FINGERPRINT_CHARACTERS]})"

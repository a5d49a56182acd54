"""From a verdict to on-call: the incident it leads to and the alerts, stored together with everything else decided.

If another process changes the same incident or detector first, nothing is stored and the step starts again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from monitor.incidents.lifecycle import Step, advance, dedup_key
from monitor.incidents.routing import OnCall
from monitor.model.decisions import Decision
from monitor.model.deployments import Swap
from monitor.model.incidents import Change, Incident, IncidentKind
from monitor.model.results import SuiteResult
from monitor.model.runs import Run
from monitor.model.verdicts import Verdict
from monitor.ports.store import Store

_FINGERPRINT_CHARACTERS = 12
"""Length of the fingerprint that is shown instead of a missing deployment name."""


async def conclude(
    verdict: Verdict, change: Change, store: Store, on_call: OnCall, *, policy: str
) -> tuple[Incident | None, Decision]:
    """The incident after the verdict, and the decision to store: verdict, alerts, and the incident if it changed."""
    incident = await store.find_incident(IncidentKind.REGRESSION, verdict.target, dedup_key(verdict.target, change))
    after, alerts = advance(incident, verdict, on_call, change, policy=policy)
    return after, Decision(verdict=verdict, incident=None if after is incident else after, alerts=alerts)


async def update_incident(
    kind: IncidentKind, subject: str, step: Callable[[Incident | None], Step], store: Store, *, dedup_key: str = ""
) -> Incident | None:
    """Apply a step to an incident without a verdict; return the incident."""
    while True:
        before = await store.find_incident(kind, subject, dedup_key)
        incident, alerts = step(before)
        if incident is None or incident is before or await store.save_incident(incident, alerts):
            return incident


async def describe_change(results: Sequence[SuiteResult], swaps: Sequence[Swap], target: str, store: Store) -> Change:
    """The deployment served now against the trusted one, and since when it is served."""
    compared = [(each.baseline.run, each.measured.run) for each in results if each.baseline]
    latest = max(swaps, key=lambda swap: swap.detected_at, default=None)
    swap = latest or await store.latest_swap(target, [each.measured.suite.name for each in results])
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

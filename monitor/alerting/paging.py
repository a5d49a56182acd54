"""From a verdict to on-call: the incident it leads to and the alerts, stored together with everything else decided.

If another process changes the same incident or detector first, nothing is stored and the step starts again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from monitor.alerting.attention import with_stored_silences
from monitor.incidents.identity import related
from monitor.incidents.lifecycle import Step, advance
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
    incident = related(await store.incidents_of(IncidentKind.REGRESSION, verdict.target), verdict, change)
    on_call = await with_stored_silences(on_call, store)
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


async def describe_change(
    results: Sequence[SuiteResult], swaps: Sequence[Swap], target: str, store: Store, *, fallen: Collection[str] = ()
) -> Change:
    """The deployment served now against the trusted one, since when it is served, and by whose declaration.

    With ``fallen``, deployments are those of the suites that fell: a deployment declared in the middle of a cycle has
    been probed by its later suites only.
    """
    compared = [(each.baseline.run, each.measured.run) for each in results if each.baseline]
    relevant = [runs for runs in compared if runs[1].suite_name in fallen] or compared
    latest = max(swaps, key=lambda swap: swap.detected_at, default=None)
    swap = latest or await store.latest_swap(target, [each.measured.suite.name for each in results])
    candidate = _deployments(after for _, after in relevant)
    declaration = next((each for each in await store.deployments(target) if each.name == candidate), None)
    detected_at = swap.detected_at if swap else None
    return Change(
        baseline=_deployments(before for before, _ in relevant),
        candidate=candidate,
        since=declaration.declared_at if declaration else detected_at,
        declared=True if declaration else swap.declared if swap else None,
        declared_by=declaration.declared_by if declaration else "",
        cause=swap.cause if swap else "",
        evidence=swap.evidence if swap else "",
        share_changed=swap.share_changed if swap else None,
        runs={after.suite_name: (before.run_id, after.run_id) for before, after in compared},
    )


def _deployments(runs: Iterable[Run]) -> str:
    """The names of the deployments; a fingerprint only if none has a name."""
    served = list(runs)
    names = dict.fromkeys(run.deployment for run in served if run.deployment not in ("", run.fingerprint))
    if names or not served:
        return " + ".join(names)
    return f"unnamed ({served[0].fingerprint[:_FINGERPRINT_CHARACTERS]})"

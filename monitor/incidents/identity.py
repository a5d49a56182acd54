"""Identity of incidents: which verdicts are about one drop.

A drop is known by what fell, on which target, against which baseline. The served deployment is not part of it, so that
churn, a rebuild or a second schedule does not turn one drop into two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from monitor.decision.sentences import place, size
from monitor.decision.trade_off import find_trade_off
from monitor.model.incidents import Change, Incident, IncidentStatus
from monitor.model.verdicts import Evidence, Verdict

NO_CHANGE = Change()


def dedup_key(target: str, baseline_run_ids: Iterable[str]) -> str:
    """The deduplication key of a regression: one target and the baselines that it fell against."""
    baselines = hashlib.sha256("\0".join(sorted(baseline_run_ids)).encode()).hexdigest()[:12]
    return f"recallwatch/{target}/{baselines}"


def related(incidents: Sequence[Incident], verdict: Verdict, change: Change = NO_CHANGE) -> Incident | None:
    """The incident that a verdict belongs to: the active one, else a closed one about the same drop; else None."""
    active = next((each for each in incidents if each.is_active), None)
    if active is not None or not verdict.name.pages:
        return active
    fallen, baselines = {each.suite for each in drops_of(verdict)}, set(baselines_of(verdict, change))
    same = [
        each
        for each in incidents
        if each.has_fired and fallen & set(each.suites) and baselines & set(each.baseline_run_ids)
    ]
    held = (each for each in same if each.status is IncidentStatus.DISMISSED and not worse_than(each, verdict))
    return next(held, None) or max(same, key=lambda each: each.opened_at, default=None)


def worse_than(incident: Incident, verdict: Verdict) -> list[str]:
    """What fell beyond the interval that the incident was paged with, or fell for the first time; in words."""
    worse = []
    for evidence in drops_of(verdict):
        bound = incident.bounds.get(bound_key(evidence))
        if bound is not None and evidence.difference < bound:
            worse.append(f"{place(evidence)} fell further, by {size(evidence.difference, evidence)}")
        elif bound is None and place_of(evidence) not in incident.fallen:
            worse.append(f"{place(evidence)} of {evidence.suite} fell too")
    return worse


def drops_of(verdict: Verdict) -> Sequence[Evidence]:
    """What fell; for a trade-off without a corrected drop, what its broad side lost."""
    if verdict.fallen:
        return verdict.fallen
    trade_off = find_trade_off(verdict.evidence, verdict.policy)
    return trade_off.fallen if trade_off else ()


def baselines_of(verdict: Verdict, change: Change) -> tuple[str, ...]:
    """The baselines of the suites that fell, as far as the change names them; else every baseline of the verdict."""
    suites = dict.fromkeys(each.suite for each in drops_of(verdict))
    runs = tuple(change.runs[suite][0] for suite in suites if suite in change.runs)
    return runs or verdict.baseline_run_ids


def place_of(evidence: Evidence) -> tuple[str, str, str]:
    """Suite, stratum and measure."""
    return evidence.suite, evidence.stratum, evidence.measure


def bound_key(evidence: Evidence) -> str:
    """The key of a bound: suite, stratum and measure."""
    return "/".join(place_of(evidence))


def identify(origin: str, kind: str) -> str:
    """An id derived from its cause, so that deciding twice cannot alert twice."""
    return f"{kind}_{hashlib.sha256(f'{origin}/{kind}'.encode()).hexdigest()[:24]}"

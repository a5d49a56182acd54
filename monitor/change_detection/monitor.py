"""Change detection for one suite in one cycle. Pure: the state before and one run give the state after.

1. Results that were judged before, the baseline's among them, keep their verdict.
2. A change within the target's noise or churn feeds the e-detectors against the pinned baseline.
3. A change beyond both is a swap, and an e-detector that raises an alarm is a drift: each asks for a look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.change_detection.summary import CycleSummary, RunSummary, SuiteRuns, summarize
from monitor.model.deployments import Swap
from monitor.model.noise import DetectorState, JudgedResult, Level, Noise, Series
from monitor.model.policies import Policy
from monitor.statistics import churn as churn_statistics
from monitor.statistics import e_detector

REMEMBERED_RESULTS = 64
"""Judged results whose verdict is remembered."""
REPLICA_RETURNS = 3
"""Results that came back so often belong to replicas behind one address."""
RESCORED_STEP = 0.25
"""A slow re-embedding is a change when so many more documents have other scores than at the last look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """The state after a run, and why the full comparison is needed, if it is."""

    state: DetectorState
    reason: str = ""
    is_declared: bool = False
    compares_with: str = ""
    """The run before the change; empty where only the baseline is compared with."""
    changed_clusters: int = 0
    """Clusters with a changed result, against the run before or the baseline, whichever has more."""
    judged: JudgedResult | None = None
    """How the same results were judged before."""
    swap: Swap | None = None
    is_same_as_baseline: bool = False


def detect(state: DetectorState | None, noise: Noise, runs: SuiteRuns, swap: Swap | None, policy: Policy) -> Detection:
    """The detector after one run, and whether there is a change that no look has judged yet.

    Parameters
    ----------
    state
        The state after the last decision; None at first contact.
    noise
        The noise floor of the current deployment.
    runs
        The run of this cycle, its baseline, and the run before.
    swap
        The change since the run before, beyond the noise of replays; None if there is none.
    policy
        Gating measures and the coverage floor.
    """
    return detect_change(state, noise, summarize(state, noise, runs, swap, policy))


def detect_change(state: DetectorState | None, noise: Noise, cycle: CycleSummary) -> Detection:
    """The same decision from the summary of the runs: a simulated year and a stored series need no rankings."""
    now, baseline, swap = cycle.now, cycle.baseline, cycle.swap
    state = _with_baseline(state, baseline, noise)
    after = replace(state, run_id=now.run_id, identity=now.identity)
    if baseline is None:
        return Detection(state=after, swap=swap)
    if noise.is_quiet and now.has_failures and not (swap and swap.declared):
        return Detection(state=state)  # results that failed to arrive are missing, not changed
    if noise.is_quiet and (now.identity == baseline.identity or now.identity in state.judged):
        return _known_result(state, after, cycle)
    if swap is not None and churn_statistics.is_usual(state.churn, cycle.change):
        swap = None
    if swap is not None:
        after = replace(after, churn=churn_statistics.learn(state.churn, cycle.change))
        return _swapped(_quieted(after, cycle), swap, state, cycle, baseline)
    return _unchanged(after, cycle, baseline)


def is_replicated(state: DetectorState) -> bool:
    """Whether results keep coming back: one address is served by replicas with different indexes or models."""
    return state.returns >= REPLICA_RETURNS


def remember(state: DetectorState, result: JudgedResult) -> DetectorState:
    """The state with the verdict on the present results remembered; the oldest are forgotten first."""
    judged = {key: value for key, value in state.judged.items() if key != state.identity} | {state.identity: result}
    return replace(state, judged=dict(list(judged.items())[-REMEMBERED_RESULTS:]))


def _with_baseline(state: DetectorState | None, baseline: RunSummary | None, noise: Noise) -> DetectorState:
    """The state for this baseline; another one starts the detectors again, but keeps the error budget and the churn."""
    trusted = baseline.run_id if baseline else ""
    if state is None:
        return DetectorState(baseline_run_id=trusted, noise=noise)
    if state.baseline_run_id == trusted:
        return state if state.noise is noise else replace(state, noise=noise)
    return DetectorState(
        baseline_run_id=trusted,
        run_id=state.run_id,
        identity=state.identity,
        noise=noise,
        churn=state.churn,
        looks=state.looks,
        returns=state.returns,
        revision=state.revision,
    )


def _known_result(state: DetectorState, after: DetectorState, cycle: CycleSummary) -> Detection:
    """Results that were judged before: they keep their verdict, and count as a return if others came between."""
    returned = state.identity not in ("", after.identity)
    after = replace(after, returns=state.returns + returned)
    if not returned:
        after = replace(after, churn=churn_statistics.learn(state.churn, cycle.change) if state.run_id else state.churn)
    is_announced = cycle.swap is not None and not is_replicated(after)
    return Detection(
        state=replace(after, levels=_folded(after, cycle.now)),
        judged=state.judged.get(after.identity),
        is_same_as_baseline=cycle.baseline is None or after.identity == cycle.baseline.identity,
        swap=cycle.swap if is_announced else None,
    )


def _unchanged(after: DetectorState, cycle: CycleSummary, baseline: RunSummary) -> Detection:
    """Within noise and churn: learn from it, and let the e-detectors say whether a drop has built up."""
    if not cycle.now.is_covered:
        return Detection(state=after)
    after = replace(after, churn=churn_statistics.learn(after.churn, cycle.change), levels=_folded(after, cycle.now))
    after = replace(after, series=_observed(after, cycle.now, baseline))
    alarms = e_detector.alarms(after.series)
    if alarms:
        runs_ago = e_detector.runs_since_change(after.series[alarms[0]])
        reason = f"{alarms[0]} below its noise for {runs_ago} runs"
        return Detection(state=_quieted(after, cycle), reason=reason, changed_clusters=cycle.changed_since_baseline)
    rescored = cycle.change.rescored
    if rescored - after.rescored > RESCORED_STEP:
        reason = f"{rescored:.0%} of the documents have other scores than in the baseline"
        return Detection(
            state=replace(after, rescored=rescored), reason=reason, changed_clusters=cycle.changed_since_baseline
        )
    return Detection(state=after)


def _swapped(
    after: DetectorState, swap: Swap, state: DetectorState, cycle: CycleSummary, baseline: RunSummary
) -> Detection:
    is_first = state.identity in ("", baseline.identity)
    return Detection(
        state=after,
        reason="a declared swap" if swap.declared else "a silent swap",
        is_declared=swap.declared,
        compares_with="" if is_first else state.run_id,
        changed_clusters=max(cycle.changed_since_baseline, cycle.changed_since_previous),
        swap=swap,
    )


def _folded(state: DetectorState, now: RunSummary) -> Mapping[str, Level]:
    """The levels that the e-detectors start from, with this run folded in."""
    if not now.is_covered:
        return state.levels
    return {name: e_detector.fold(state.levels.get(name, Level()), value) for name, value in now.means.items()}


def _quieted(state: DetectorState, cycle: CycleSummary) -> DetectorState:
    """The state whose detectors start again from the levels that this look judges."""
    quiet = e_detector.quiet(state, cycle.now.means)
    return replace(quiet, rescored=max(state.rescored, cycle.change.rescored))


def _observed(state: DetectorState, now: RunSummary, baseline: RunSummary) -> Mapping[str, Series]:
    observed = {}
    for name in now.means.keys() & baseline.means.keys():
        level = state.levels.get(name, Level())
        sigma = e_detector.deviation_of(state.noise, state.churn, level, name)
        if sigma == 0.0 and name not in state.noise.deviations:
            continue  # the noise of this series is not known yet
        series = state.series.get(name, Series())
        pending = (*series.pending, now.means[name])
        if len(pending) < _block(state, level):
            observed[name] = replace(series, pending=pending)
            continue
        reference, n_runs = e_detector.level_of(baseline.means[name], state.noise, name, level)
        observed[name] = e_detector.observe(
            series,
            baseline=reference,
            now=sum(pending) / len(pending),
            deviation=sigma,
            queries=now.queries[name.partition("/")[0]],
            baseline_runs=n_runs,
        )
    return dict(sorted(observed.items()))


def _block(state: DetectorState, level: Level) -> int:
    """Cycles behind one update of an e-detector: under churn, consecutive cycles repeat most results."""
    is_independent = level.cycles >= e_detector.LEVEL_CYCLES and e_detector.correlation(level) == 0.0
    if is_independent or not state.noise.is_quiet or not churn_statistics.is_learned(state.churn):
        return 1
    return churn_statistics.correlation_cycles(state.churn)

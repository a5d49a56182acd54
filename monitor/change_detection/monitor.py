"""Change detection for one suite in one cycle. Pure: the state before and one run give the state after.

1. Results that were judged before, the baseline's among them, keep their verdict.
2. A change within the target's noise or churn feeds the e-detectors against the pinned baseline.
3. A change beyond both is a swap, and an e-detector that raises an alarm is a drift: each asks for a look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.change_detection.noise import gating_means
from monitor.change_detection.swaps import rescored_share, share_changed
from monitor.model.deployments import Swap
from monitor.model.measurements import Measured
from monitor.model.noise import CycleChange, DetectorState, JudgedResult, Level, Noise, Series
from monitor.model.policies import Policy
from monitor.model.runs import Run
from monitor.statistics import churn as churn_statistics
from monitor.statistics import e_detector
from monitor.statistics.pairing import OVERALL

REMEMBERED_RESULTS = 64
"""Judged results whose verdict is remembered."""
REPLICA_RETURNS = 3
"""Results that came back so often belong to replicas behind one address."""
RESCORED_STEP = 0.25
"""A further share of documents whose scores moved since the last look, which makes a slow re-embedding a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRuns:
    """The runs of one suite that a cycle compares."""

    measured: Measured
    baseline: Measured | None = None
    previous: Run | None = None
    """The run that was decided on before, with its outcomes; None where the results are the same."""
    previous_means: Mapping[str, float] | None = None
    """Its gating means, by series."""


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
    """The detector after one run, and whether something changed that no look has seen yet.

    Parameters
    ----------
    state
        The state after the last decision; None at first contact.
    noise
        The noise floor of what is served now.
    runs
        The run of this cycle, its baseline, and the run before.
    swap
        The change since the run before, beyond the noise of replays; None if there is none.
    policy
        Gating measures and the coverage floor.
    """
    measured, baseline = runs.measured, runs.baseline
    state = _with_baseline(state, baseline, noise)
    identity = identity_of(measured, noise)
    if baseline is None:
        return Detection(state=replace(state, run_id=measured.run.run_id, identity=identity), swap=swap)
    if noise.is_quiet and _failed(measured) and not (swap and swap.declared):
        return Detection(state=state)  # results that failed to arrive are missing, not changed
    is_baseline = identity == identity_of(baseline, noise)
    change = _change(state, runs, policy, is_same=identity == state.identity)
    after = replace(state, run_id=measured.run.run_id, identity=identity)
    if noise.is_quiet and (is_baseline or identity in state.judged):
        return _known_result(state, after, change, runs, swap, policy)
    if swap is not None and churn_statistics.is_usual(state.churn, change):
        swap = None
    if swap is not None:
        after = replace(after, churn=churn_statistics.learn(state.churn, change))
        return _swapped(_quieted(after, change, measured, policy), swap, state, runs)
    return _unchanged(after, change, runs, policy)


def identity_of(measured: Measured, noise: Noise) -> str:
    """What repeats while nothing changes: the rankings, and the answers if they repeat."""
    return measured.run.fingerprint + (measured.run.answers if noise.answers_repeat else "")


def is_replicated(state: DetectorState) -> bool:
    """Whether results keep coming back: one address is served by replicas with different indexes or models."""
    return state.returns >= REPLICA_RETURNS


def remember(state: DetectorState, result: JudgedResult) -> DetectorState:
    """The state with the verdict on the present results remembered; the oldest are forgotten first."""
    judged = {key: value for key, value in state.judged.items() if key != state.identity} | {state.identity: result}
    return replace(state, judged=dict(list(judged.items())[-REMEMBERED_RESULTS:]))


def _with_baseline(state: DetectorState | None, baseline: Measured | None, noise: Noise) -> DetectorState:
    """The state for this baseline; another one starts the detectors again, but keeps the error budget and the churn."""
    trusted = baseline.run.run_id if baseline else ""
    if state is None:
        return DetectorState(baseline_run_id=trusted, noise=noise)
    if state.baseline_run_id == trusted:
        return replace(state, noise=noise)
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


def _change(state: DetectorState, runs: SuiteRuns, policy: Policy, *, is_same: bool) -> CycleChange:
    """What changed since the run before, in rankings, run means and scores."""
    outcomes = runs.measured.run.outcomes
    if is_same or runs.previous is None or runs.baseline is None:
        return CycleChange(share=0.0, queries=len(outcomes), rescored=state.rescored)
    return CycleChange(
        share=share_changed(runs.previous.outcomes, outcomes),
        queries=len(outcomes),
        steps=_steps(runs, policy) if state.noise.is_quiet else {},
        rescored=rescored_share(runs.baseline.run.outcomes, outcomes),
    )


def _steps(runs: SuiteRuns, policy: Policy) -> dict[str, float]:
    now, before = gating_means(runs.measured, policy), runs.previous_means or {}
    return {name: now[name] - before[name] for name in now if name in before}


def _known_result(
    state: DetectorState, after: DetectorState, change: CycleChange, runs: SuiteRuns, swap: Swap | None, policy: Policy
) -> Detection:
    """Results that were judged before: they keep their verdict, and count as a return if others came between."""
    returned = state.identity not in ("", after.identity)
    after = replace(after, returns=state.returns + returned)
    if not returned:
        after = replace(after, churn=churn_statistics.learn(state.churn, change) if state.run_id else state.churn)
    is_announced = swap is not None and not is_replicated(after)
    return Detection(
        state=_folded(after, runs, policy),
        judged=state.judged.get(after.identity),
        is_same_as_baseline=after.identity == identity_of(runs.baseline or runs.measured, after.noise),
        swap=swap if is_announced else None,
    )


def _unchanged(after: DetectorState, change: CycleChange, runs: SuiteRuns, policy: Policy) -> Detection:
    """Within noise and churn: learn from it, and let the e-detectors say whether a drop has built up."""
    if runs.measured.counts.coverage < policy.coverage_floor or runs.baseline is None:
        return Detection(state=after)
    after = _folded(replace(after, churn=churn_statistics.learn(after.churn, change)), runs, policy)
    after = replace(after, series=_observed(after, runs.measured, runs.baseline, policy))
    alarms = e_detector.alarms(after.series)
    if alarms:
        runs_ago = e_detector.runs_since_change(after.series[alarms[0]])
        reason = f"{alarms[0]} below its noise for {runs_ago} runs"
        return Detection(
            state=_quieted(after, change, runs.measured, policy),
            reason=reason,
            changed_clusters=_changed_clusters(runs.baseline.run, runs.measured),
        )
    if change.rescored - after.rescored > RESCORED_STEP:
        reason = f"{change.rescored:.0%} of the documents have other scores than in the baseline"
        return Detection(
            state=replace(after, rescored=change.rescored),
            reason=reason,
            changed_clusters=_changed_clusters(runs.baseline.run, runs.measured),
        )
    return Detection(state=after)


def _swapped(after: DetectorState, swap: Swap, state: DetectorState, runs: SuiteRuns) -> Detection:
    baseline = runs.baseline.run if runs.baseline else runs.measured.run
    previous = runs.previous or baseline
    is_first = state.identity in ("", identity_of(runs.baseline or runs.measured, after.noise))
    return Detection(
        state=after,
        reason="a declared swap" if swap.declared else "a silent swap",
        is_declared=swap.declared,
        compares_with="" if is_first else state.run_id,
        changed_clusters=max(_changed_clusters(baseline, runs.measured), _changed_clusters(previous, runs.measured)),
        swap=swap,
    )


def _changed_clusters(before: Run, measured: Measured) -> int:
    """Clusters with at least one query whose ranking or answer differs between two runs."""
    earlier = {outcome.query_id: outcome for outcome in before.outcomes}
    cluster_of = {query.query_id: (query.stratum, query.cluster) for query in measured.suite.queries}
    return len(
        {
            cluster_of[outcome.query_id]
            for outcome in measured.run.outcomes
            if (old := earlier.get(outcome.query_id)) is None
            or old.ranking != outcome.ranking
            or (old.reply and old.reply.answer) != (outcome.reply and outcome.reply.answer)
        }
    )


def _folded(state: DetectorState, runs: SuiteRuns, policy: Policy) -> DetectorState:
    """The state with this run folded into the levels that the e-detectors start from."""
    if runs.measured.counts.coverage < policy.coverage_floor:
        return state
    means = gating_means(runs.measured, policy)
    levels = {name: e_detector.fold(state.levels.get(name, Level()), value) for name, value in means.items()}
    return replace(state, levels=levels)


def _quieted(state: DetectorState, change: CycleChange, measured: Measured, policy: Policy) -> DetectorState:
    """The state whose detectors start again from the levels that this look judges."""
    quiet = e_detector.quiet(state, gating_means(measured, policy))
    return replace(quiet, rescored=max(state.rescored, change.rescored))


def _observed(state: DetectorState, measured: Measured, baseline: Measured, policy: Policy) -> Mapping[str, Series]:
    before, now = gating_means(baseline, policy), gating_means(measured, policy)
    queries = Counter(query.stratum for query in measured.suite.queries if query.is_judged)
    queries[OVERALL] = queries.total()
    observed = {}
    for name in now.keys() & before.keys():
        level = state.levels.get(name, Level())
        sigma = e_detector.deviation_of(state.noise, state.churn, level, name)
        if sigma == 0.0 and name not in state.noise.deviations:
            continue  # the noise of this series is not known yet
        series = state.series.get(name, Series())
        pending = (*series.pending, now[name])
        if len(pending) < _block(state, level):
            observed[name] = replace(series, pending=pending)
            continue
        reference, n_runs = e_detector.level_of(before[name], state.noise, name, level)
        observed[name] = e_detector.observe(
            series,
            baseline=reference,
            now=sum(pending) / len(pending),
            deviation=sigma,
            queries=queries[name.partition("/")[0]],
            baseline_runs=n_runs,
        )
    return dict(sorted(observed.items()))


def _block(state: DetectorState, level: Level) -> int:
    """Cycles behind one update of an e-detector: under churn, consecutive cycles repeat most results."""
    is_independent = level.cycles >= e_detector.LEVEL_CYCLES and e_detector.correlation(level) == 0.0
    if is_independent or not state.noise.is_quiet or not churn_statistics.is_learned(state.churn):
        return 1
    return churn_statistics.correlation_cycles(state.churn)


def _failed(measured: Measured) -> bool:
    return measured.counts.failed > 0 or (measured.replies is not None and measured.replies.failed > 0)

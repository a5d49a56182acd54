"""What change detection reads of the runs of one cycle: identities, means, and how much changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.change_detection.noise import gating_means
from monitor.change_detection.swaps import rescored_share, share_changed
from monitor.model.deployments import Swap
from monitor.model.measurements import Measured
from monitor.model.noise import CycleChange, DetectorState, Noise
from monitor.model.policies import Policy
from monitor.model.runs import Run
from monitor.statistics.pairing import OVERALL


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
class RunSummary:
    """One run in a few numbers."""

    run_id: str
    identity: str
    """Equal for two runs with the same rankings, and the same answers where answers repeat."""
    means: Mapping[str, float]
    """Mean of every gating measure of every stratum, by series."""
    queries: Mapping[str, int]
    """Judged queries of the suite and of each stratum."""
    is_covered: bool = True
    """Whether enough probes succeeded to learn from the run."""
    has_failures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleSummary:
    """The run of one cycle, and what changed since the run before and since the baseline."""

    now: RunSummary
    baseline: RunSummary | None = None
    change: CycleChange = field(default_factory=lambda: CycleChange(share=0.0, queries=0))
    """What changed since the run before."""
    swap: Swap | None = None
    """The change since the run before, where it is beyond the noise of replays."""
    changed_since_baseline: int = 0
    """Clusters with a changed result since the baseline."""
    changed_since_previous: int = 0
    """Clusters with a changed result since the run before; since the baseline at first contact."""


def summarize(
    state: DetectorState | None, noise: Noise, runs: SuiteRuns, swap: Swap | None, policy: Policy
) -> CycleSummary:
    """The numbers that change detection needs of the runs of one cycle."""
    now = _run_summary(runs.measured, noise, policy)
    if runs.baseline is None:
        return CycleSummary(now=now, swap=swap)
    since_baseline = _changed_clusters(runs.baseline.run, runs.measured)
    return CycleSummary(
        now=now,
        baseline=_run_summary(runs.baseline, noise, policy),
        change=_change(state, noise, runs, now),
        swap=swap,
        changed_since_baseline=since_baseline,
        changed_since_previous=_changed_clusters(runs.previous, runs.measured) if runs.previous else since_baseline,
    )


def identity_of(measured: Measured, noise: Noise) -> str:
    """What repeats while nothing changes: the rankings, and the answers if they repeat."""
    return measured.run.fingerprint + (measured.run.answers if noise.answers_repeat else "")


def _run_summary(measured: Measured, noise: Noise, policy: Policy) -> RunSummary:
    queries = Counter(query.stratum for query in measured.suite.queries if query.is_judged)
    queries[OVERALL] = queries.total()
    return RunSummary(
        run_id=measured.run.run_id,
        identity=identity_of(measured, noise),
        means=gating_means(measured, policy),
        queries=queries,
        is_covered=measured.counts.coverage >= policy.coverage_floor,
        has_failures=measured.counts.failed > 0 or (measured.replies is not None and measured.replies.failed > 0),
    )


def _change(state: DetectorState | None, noise: Noise, runs: SuiteRuns, now: RunSummary) -> CycleChange:
    """What changed since the run before, in rankings, run means and scores."""
    outcomes = runs.measured.run.outcomes
    is_same = state is not None and now.identity == state.identity
    if is_same or runs.previous is None or runs.baseline is None:
        is_baseline_same = state and runs.baseline and state.baseline_run_id == runs.baseline.run.run_id
        return CycleChange(
            share=0.0, queries=len(outcomes), rescored=state.rescored if state and is_baseline_same else 0.0
        )
    before = runs.previous_means or {}
    steps = {name: mean - before[name] for name, mean in now.means.items() if name in before}
    return CycleChange(
        share=share_changed(runs.previous.outcomes, outcomes),
        queries=len(outcomes),
        steps=steps if noise.is_quiet else {},
        rescored=rescored_share(runs.baseline.run.outcomes, outcomes),
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

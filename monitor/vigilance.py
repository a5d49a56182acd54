"""Level 1 in a cycle: learn a target's noise floor, and tell a change from noise. Level 2 looks only at changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.decision import sequential
from monitor.decision.pairing import OVERALL
from monitor.decision.sequential import noise_floor
from monitor.evaluation.scoring import measure, stratum_means
from monitor.model import Axis, Measured, Outcome, Query, Suite
from monitor.ports import Retriever
from monitor.replay import replay
from monitor.swaps import share_changed
from monitor.verdict import Look, Policy, Swap
from monitor.vigil import Noise, Series, Vigil

FIRST_REPLAYS, FIRST_QUERIES = 5, 100
"""Enough to tell a deterministic target, at a small price; a noisy one is replayed as often as the policy says."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A vigil after one more run, and what makes level 2 look, if anything does."""

    vigil: Vigil
    change: str = ""


async def learn_noise(vigil: Vigil | None, measured: Measured, policy: Policy, retriever: Retriever) -> Noise:
    """The noise floor of what is served now: as known, or else from replaying a part of the suite a few times."""
    known = vigil.noise if vigil else Noise()
    if known.replays and (known.deployment == measured.run.deployment or not _names_itself(measured, known)):
        return known
    found = await _replay(measured, FIRST_REPLAYS, FIRST_QUERIES, policy, retriever)
    if not found.is_deterministic and found.replays:
        found = await _replay(measured, policy.replays, policy.replayed_queries, policy, retriever)
    return replace(found, deployment=measured.run.deployment)


def keep(
    vigil: Vigil | None,
    noise: Noise,
    measured: Measured,
    baseline: Measured | None,
    swap: Swap | None,
    policy: Policy,
) -> Kept:
    """The vigil after this run, and whether something changed that level 2 has not looked at yet."""
    trusted = baseline.run.run_id if baseline else ""
    if vigil is None or vigil.baseline_run_id != trusted:
        vigil = Vigil(trusted, looks=vigil.looks if vigil else ())
    vigil = replace(vigil, noise=noise)
    fingerprint = measured.run.fingerprint
    if baseline is None or fingerprint == baseline.run.fingerprint:
        return Kept(replace(vigil, judged=fingerprint))
    if noise.is_deterministic or not noise.replays:
        if measured.counts.failed and swap is None:  # what failed is missing from the fingerprint, and is no change
            return Kept(vigil)
        changed = fingerprint != vigil.judged
        return Kept(replace(vigil, judged=fingerprint), "the results changed" if changed else "")
    if measured.counts.coverage >= policy.coverage_floor:
        vigil = replace(vigil, series=_observed(vigil, measured, baseline, policy))
    alarms = sequential.alarms(vigil.series)
    if swap is not None:
        return Kept(_quiet(vigil, measured, policy), "a declared swap" if swap.declared else "a silent swap")
    if alarms:
        runs = sequential.runs_since_change(vigil.series[alarms[0]])
        return Kept(_quiet(vigil, measured, policy), f"{alarms[0]} below its noise for {runs} runs")
    return Kept(vigil)


def look_at(kept: Sequence[Kept], policy: Policy, *, incident_is_open: bool, now: datetime) -> Look | None:
    """The look that level 2 takes in this cycle: a new one at a change, the last one while nothing has changed since.

    On a noisy target every run differs a little; without a change there is nothing to look at, unless an
    incident waits for the evidence that ends it.
    """
    looks = max((sequential.within_a_year(each.vigil.looks, now) for each in kept), key=len, default=())
    why = "; ".join(each.change for each in kept if each.change)
    noisy = any(each.vigil.noise.replays and not each.vigil.noise.is_deterministic for each in kept)
    if why:
        looks = (*looks, now)
    elif noisy and not incident_is_open:
        return None
    alpha = sequential.alpha_of_look(len(looks), alpha_page=policy.alpha_page, alpha_year=policy.alpha_year)
    return Look(len(looks), why or "nothing changed since the last look", alpha, looks)


def _quiet(vigil: Vigil, measured: Measured, policy: Policy) -> Vigil:
    return sequential.quiet(vigil, gating_means(measured, policy))


def _observed(vigil: Vigil, measured: Measured, baseline: Measured, policy: Policy) -> Mapping[str, Series]:
    before, now = gating_means(baseline, policy), gating_means(measured, policy)
    queries = Counter(query.stratum for query in measured.suite.queries if query.is_judged)
    queries[OVERALL] = queries.total()
    observed = {}
    for name in now:
        if name not in before or name not in vigil.noise.deviations:
            continue
        level, runs = sequential.level_of(before[name], vigil.noise, name)
        observed[name] = sequential.observe(
            vigil.series.get(name, Series()),
            baseline=level,
            now=now[name],
            deviation=vigil.noise.deviations[name],
            queries=queries[name.partition("/")[0]],
            baseline_runs=runs,
        )
    return observed


def gating_means(measured: Measured, policy: Policy) -> dict[str, float]:
    """The mean of every gating measure of every stratum, as ``stratum/measure``."""
    gating = policy.gating.get(Axis(measured.suite.axis), ())
    return {
        f"{stratum}/{name}": mean
        for stratum, name, mean in stratum_means(measured)
        if name in gating and stratum not in measured.suite.controls
    }


async def _replay(measured: Measured, count: int, queries: int, policy: Policy, retriever: Retriever) -> Noise:
    """Noise of ``count`` replays of an evenly spaced part of the suite; none if a replay mostly failed."""
    part = _part(measured.suite, queries)
    asked = {query.query_id for query in part.queries}
    first = tuple(outcome for outcome in measured.run.outcomes if outcome.query_id in asked)
    means, shares = [], []
    measures = tuple(measured.measurements)
    for _ in range(count):
        outcomes = await replay(part.queries, retriever, depth=measured.run.depth, keep=_forget, watch=lambda _: None)
        run = replace(measured.run, outcomes=outcomes, suite_digest=part.digest)
        found = measure(run, part, tuple(name for name in measures if "@" in name))
        if found.counts.coverage < policy.coverage_floor:
            return Noise()
        means.append(gating_means(found, policy))
        shares.append(share_changed(first, outcomes))
        first = first or outcomes
    found_noise = noise_floor(means, shares, queries=len(part.queries))
    is_whole = len(part.queries) == sum(query.is_judged for query in measured.suite.queries)
    return found_noise if is_whole else replace(found_noise, means={})


def _part(suite: Suite, queries: int) -> Suite:
    judged = [query for query in suite.queries if query.is_judged]
    step = max(1, -(-len(judged) // queries))
    chosen: tuple[Query, ...] = tuple(judged[::step])
    ids = {query.query_id for query in chosen}
    pairs = tuple(pair for pair in suite.pairs if pair.query_id in ids)
    return replace(suite, queries=chosen, pairs=pairs, digest=f"{suite.digest}/{step}")


def _names_itself(measured: Measured, known: Noise) -> bool:
    """Whether the deployment's name says that it is another: it always does, but for noise without a name."""
    return known.is_deterministic or measured.run.deployment != measured.run.fingerprint


async def _forget(_: Sequence[Outcome]) -> None:
    """Replays for the noise floor are not runs; what they showed is kept in the noise floor alone."""

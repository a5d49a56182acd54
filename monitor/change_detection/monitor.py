"""Level 1 in a cycle: learn a target's noise floor, and tell a change from noise. Level 2 looks only at changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from monitor.change_detection.swaps import share_changed
from monitor.evaluation.answers.measurements import share_of_answers_changed
from monitor.evaluation.measures import ANSWER_MEASURES
from monitor.evaluation.scoring import measure, stratum_means
from monitor.model.deployments import Swap
from monitor.model.measurements import Floats, Measured, Measurements
from monitor.model.noise import DetectorState, Noise, Series
from monitor.model.policies import Policy
from monitor.model.runs import Outcome
from monitor.model.suites import Axis, Query, Suite
from monitor.model.verdicts import Look
from monitor.probing.replay import replay
from monitor.statistics import e_detector
from monitor.statistics.e_detector import answer_noise, noise_floor
from monitor.statistics.pairing import OVERALL
from monitor.world import Endpoints

FIRST_REPLAYS, FIRST_QUERIES = 5, 100
"""Enough to tell a deterministic target, at a small price; a noisy one is replayed as often as the policy says."""


@dataclass(frozen=True, slots=True)
class StateUpdate:
    """A vigil after one more run, and what makes level 2 look, if anything does."""

    state: DetectorState
    change: str = ""


async def learn_noise(state: DetectorState | None, measured: Measured, policy: Policy, asked: Endpoints) -> Noise:
    """The noise floor of what is served now: as known, or else from replaying a part of the suite a few times."""
    known = state.noise if state else Noise()
    lacks_answers = _answers_came(measured, policy) and not known.answer_replays
    is_same = known.deployment == _deployment(measured) or not _names_itself(measured, known)
    if known.replays and is_same and not lacks_answers:
        return known
    found = await _replay(measured, FIRST_REPLAYS, FIRST_QUERIES, policy, asked)
    if not found.is_deterministic and found.replays:
        # Answers are dear, and their noise is known by now.
        more = await _replay(measured, policy.replays, policy.replayed_queries, policy, replace(asked, answerer=None))
        found = replace(
            more,
            deviations={**found.deviations, **more.deviations},
            answer_replays=found.answer_replays,
            answers_changed=found.answers_changed,
        )
    return replace(found, deployment=_deployment(measured))


def keep(
    state: DetectorState | None,
    noise: Noise,
    measured: Measured,
    baseline: Measured | None,
    swap: Swap | None,
    policy: Policy,
) -> StateUpdate:
    """The vigil after this run, and whether something changed that level 2 has not looked at yet."""
    trusted = baseline.run.run_id if baseline else ""
    if state is None or state.baseline_run_id != trusted:
        state = DetectorState(baseline_run_id=trusted, looks=state.looks if state else ())
    state = replace(state, noise=noise)
    now, trusted_results = _identity(measured, noise), _identity(baseline, noise) if baseline else ""
    if baseline is None or (now == trusted_results and noise.is_quiet):
        return StateUpdate(replace(state, judged=now))
    if noise.is_deterministic or not noise.replays:
        if _failed(measured) and swap is None:  # what failed is missing from the results, and is no change
            return StateUpdate(state)
        changed = now not in (state.judged, trusted_results)
        state = replace(state, judged=now)
        if changed or noise.is_quiet:
            return StateUpdate(state, "the results changed" if changed else "")
    if measured.counts.coverage >= policy.coverage_floor:
        state = replace(state, series=_observed(state, measured, baseline, policy))
    alarms = e_detector.alarms(state.series)
    if swap is not None:
        return StateUpdate(_quiet(state, measured, policy), "a declared swap" if swap.declared else "a silent swap")
    if alarms:
        runs = e_detector.runs_since_change(state.series[alarms[0]])
        return StateUpdate(_quiet(state, measured, policy), f"{alarms[0]} below its noise for {runs} runs")
    return StateUpdate(state)


def look_at(kept: Sequence[StateUpdate], policy: Policy, *, incident_is_open: bool, now: datetime) -> Look | None:
    """The look that level 2 takes in this cycle: a new one at a change, the last one while nothing has changed since.

    On a noisy target every run differs a little; without a change there is nothing to look at, unless an
    incident waits for the evidence that ends it.
    """
    looks = max((e_detector.within_a_year(each.state.looks, now) for each in kept), key=len, default=())
    why = "; ".join(each.change for each in kept if each.change)
    noisy = any(not each.state.noise.is_quiet for each in kept)
    if why:
        looks = (*looks, now)
    elif noisy and not incident_is_open:
        return None
    alpha = e_detector.alpha_of_look(len(looks), alpha_page=policy.alpha_page, alpha_year=policy.alpha_year)
    return Look(len(looks), why or "nothing changed since the last look", alpha, looks)


def _quiet(state: DetectorState, measured: Measured, policy: Policy) -> DetectorState:
    return e_detector.quiet(state, gating_means(measured, policy))


def _observed(state: DetectorState, measured: Measured, baseline: Measured, policy: Policy) -> Mapping[str, Series]:
    before, now = gating_means(baseline, policy), gating_means(measured, policy)
    queries = Counter(query.stratum for query in measured.suite.queries if query.is_judged)
    queries[OVERALL] = queries.total()
    observed = {}
    for name in now:
        if name not in before or name not in state.noise.deviations:
            continue
        level, runs = e_detector.level_of(before[name], state.noise, name)
        observed[name] = e_detector.observe(
            state.series.get(name, Series()),
            baseline=level,
            now=now[name],
            deviation=state.noise.deviations[name],
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


async def _replay(measured: Measured, count: int, queries: int, policy: Policy, asked: Endpoints) -> Noise:
    """Noise of ``count`` replays of an evenly spaced part of the suite; none if a replay mostly failed."""
    part = _part(measured.suite, queries)
    chosen = {query.query_id for query in part.queries}
    first = tuple(outcome for outcome in measured.run.outcomes if outcome.query_id in chosen)
    means, shares, replays = [], [], []
    measures = tuple(measured.measurements)
    for _ in range(count):
        outcomes = await replay(part.queries, asked, keep=_forget, watch=lambda _: None)
        run = replace(measured.run, outcomes=outcomes, suite_digest=part.digest)
        found = measure(run, part, tuple(name for name in measures if "@" in name))
        if found.counts.coverage < policy.coverage_floor:
            return Noise()
        means.append(gating_means(found, policy))
        shares.append(share_changed(first, outcomes))
        replays.append(found)
        first = first or outcomes
    found_noise = noise_floor(means, shares, queries=len(part.queries))
    is_whole = len(part.queries) == sum(query.is_judged for query in measured.suite.queries)
    found_noise = found_noise if is_whole else replace(found_noise, means={})
    return _with_answers(found_noise, measured, replays, policy) if asked.answerer else found_noise


def _with_answers(noise: Noise, measured: Measured, replays: Sequence[Measured], policy: Policy) -> Noise:
    """The noise floor with that of the answers, learnt from what the replays have in common; none if some failed."""
    if not all(_answers_came(each, policy) for each in replays):
        return noise
    gating = set(policy.gating.get(Axis(measured.suite.axis), ())) & {*ANSWER_MEASURES}
    deviations = dict(noise.deviations)
    for name in gating & set(measured.measurements):
        for stratum, ids in _strata(measured, name).items():
            values = _common([each.measurements[name] for each in replays if name in each.measurements], ids)
            if values.shape[0] > 1 and values.shape[1] > 0:
                deviations[f"{stratum}/{name}"] = answer_noise(values, answers=len(ids))
    shares = [share_of_answers_changed(replays[0].run.outcomes, each.run.outcomes) for each in replays[1:]]
    return replace(noise, deviations=deviations, answer_replays=len(replays), answers_changed=max(shares, default=0.0))


def _strata(measured: Measured, name: str) -> dict[str, set[str]]:
    """Ids of the queries with a value of this measure, in the whole suite and in each stratum that is no control."""
    stratum_of = {query.query_id: query.stratum for query in measured.suite.queries}
    strata: dict[str, set[str]] = {OVERALL: set(measured.measurements[name].query_ids)}
    for query_id in measured.measurements[name].query_ids:
        if stratum_of[query_id] not in measured.suite.controls:
            strata.setdefault(stratum_of[query_id], set()).add(query_id)
    return strata


def _common(measurements: Sequence[Measurements], ids: set[str]) -> Floats:
    """Values of the queries that every replay scored, shape (replays, queries)."""
    columns = [dict(zip(each.query_ids, each.values.tolist(), strict=True)) for each in measurements]
    shared = sorted(ids.intersection(*columns)) if columns else []
    return np.array([[column[query_id] for query_id in shared] for column in columns], np.float64).reshape(
        len(columns), len(shared)
    )


def _identity(measured: Measured, noise: Noise) -> str:
    """What repeats itself as long as nothing changes: the rankings, and the answers if they do."""
    return measured.run.fingerprint + (measured.run.answers if noise.answers_repeat else "")


def _deployment(measured: Measured) -> str:
    return " / ".join(filter(None, (measured.run.deployment, measured.run.answerer)))


def _answers_came(measured: Measured, policy: Policy) -> bool:
    """Whether answers were asked for and enough of them came back to say anything."""
    replies = measured.replies
    return replies is not None and replies.scored > 0 and replies.coverage >= policy.coverage_floor


def _failed(measured: Measured) -> bool:
    return measured.counts.failed > 0 or (measured.replies is not None and measured.replies.failed > 0)


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

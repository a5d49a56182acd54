"""Learn a target's noise floor by replaying part of a suite, and its churn from cycle to cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from monitor.change_detection.swaps import share_changed
from monitor.evaluation.answers.measurements import share_of_answers_changed
from monitor.evaluation.measures import ANSWER_MEASURES
from monitor.evaluation.scoring import measure, stratum_means
from monitor.model.measurements import Floats, Measured, Measurements
from monitor.model.noise import DetectorState, Noise
from monitor.model.policies import Policy
from monitor.model.runs import Outcome
from monitor.model.suites import Axis, Query, Suite
from monitor.probing.budget import requests_of
from monitor.probing.rate_limit import allowance_of
from monitor.probing.replay import replay
from monitor.statistics.churn import is_learned
from monitor.statistics.noise_floor import noise_floor, own_noise
from monitor.statistics.pairing import OVERALL
from monitor.world import Endpoints

FIRST_QUERIES = 100
"""A few replays of this part of a suite recognise a deterministic target; a noisy one is replayed according to the
policy."""
ENOUGH = 300
"""Number of queries that the first replays have in all. If none changes, fewer than one query in a hundred changes from
replay to replay (upper 95 % bound, 3 / n); if some do, the deviation of the answers is known within a tenth."""
FEWEST_REPLAYS, MOST_FIRST_REPLAYS, FEWEST_QUERIES = 2, 5, 20


async def learn_noise(state: DetectorState | None, measured: Measured, policy: Policy, endpoints: Endpoints) -> Noise:
    """The noise floor of the current deployment: the stored one, or a new one from replays of a part of the suite."""
    stored = state.noise if state else Noise()
    lacks_answers = _answers_came(measured, policy) and not stored.answer_replays
    is_declared = measured.run.deployment != measured.run.fingerprint
    churns = state is not None and is_learned(state.churn)
    if is_known(stored, _deployment(measured), is_declared=is_declared, churns=churns) and not lacks_answers:
        return stored
    floor = await _replay(measured, first_replays(measured.suite), FIRST_QUERIES, policy, endpoints)
    if not floor.is_deterministic and floor.replays:
        # Answers cost the most, and the first replays measured their noise.
        rankings_only = replace(endpoints, answerer=None)
        more = await _replay(measured, policy.replays, policy.replayed_queries, policy, rankings_only)
        floor = refine(floor, more)
    return replace(floor, deployment=_deployment(measured))


def is_known(stored: Noise, deployment: str, *, is_declared: bool, churns: bool = False) -> bool:
    """Whether a stored noise floor belongs to this deployment.

    A deployment without a name is called by its fingerprint. That of a noisy or churning target changes all the time.
    """
    names_itself = is_declared or (stored.is_deterministic and not churns)
    return stored.replays > 0 and (stored.deployment == deployment or not names_itself)


def refine(floor: Noise, more: Noise) -> Noise:
    """Combine the noise of rankings from more replays with the noise of answers from the first ones."""
    return replace(
        more,
        deviations={**floor.deviations, **more.deviations},
        answer_replays=floor.answer_replays,
        answers_changed=floor.answers_changed,
    )


def gating_means(measured: Measured, policy: Policy) -> dict[str, float]:
    """The mean of every gating measure of every stratum, as ``stratum/measure``."""
    gating = policy.gating.get(Axis(measured.suite.axis), ())
    return {
        f"{stratum}/{name}": mean
        for stratum, name, mean in stratum_means(measured)
        if name in gating and stratum not in measured.suite.controls
    }


def first_replays(suite: Suite) -> int:
    """Number of the first replays: enough to recognise a deterministic target, and no more."""
    n_queries = len(part_of(suite, FIRST_QUERIES).queries)
    return min(max(-(-ENOUGH // max(n_queries, 1)), FEWEST_REPLAYS), MOST_FIRST_REPLAYS)


def part_of(suite: Suite, queries: int) -> Suite:
    """An evenly spaced part of the judged queries of a suite, with at most ``queries`` queries."""
    judged = [query for query in suite.queries if query.is_judged]
    step = max(1, -(-len(judged) // queries))
    part: tuple[Query, ...] = tuple(judged[::step])
    ids = {query.query_id for query in part}
    pairs = tuple(pair for pair in suite.pairs if pair.query_id in ids)
    return replace(suite, queries=part, pairs=pairs, digest=f"{suite.digest}/{step}")


async def _replay(measured: Measured, count: int, queries: int, policy: Policy, endpoints: Endpoints) -> Noise:
    """Noise of ``count`` replays of an evenly spaced part of the suite; none if a replay mostly failed.

    Fewer replays, of fewer queries, are sent where the budget of the target does not suffice.
    """
    part, count = _affordable(measured.suite, count, queries, endpoints)
    if count < FEWEST_REPLAYS:
        return Noise()
    ids = {query.query_id for query in part.queries}
    first = tuple(outcome for outcome in measured.run.outcomes if outcome.query_id in ids)
    shares, replays = [], []
    measures = tuple(measured.measurements)
    for _ in range(count):
        outcomes = await replay(part.queries, endpoints, save=_discard, watch=lambda _: None)
        run = replace(measured.run, outcomes=outcomes, suite_digest=part.digest)
        measured_replay = measure(run, part, tuple(name for name in measures if "@" in name))
        if measured_replay.counts.coverage < policy.coverage_floor:
            return Noise()
        shares.append(share_changed(first, outcomes))
        replays.append(measured_replay)
        first = first or outcomes
    return noise_of(measured, replays, shares, policy)


def _affordable(suite: Suite, count: int, queries: int, endpoints: Endpoints) -> tuple[Suite, int]:
    """The part of the suite to replay and the number of replays, within half of the remaining daily budget."""
    left = allowance_of(endpoints.retriever).left()
    while True:
        part = part_of(suite, queries)
        if left is None:
            return part, count
        affordable = left // 2 // max(requests_of(part, has_answerer=endpoints.answerer is not None), 1)
        if affordable >= FEWEST_REPLAYS or queries // 2 < FEWEST_QUERIES:
            return part, min(count, affordable)
        queries //= 2


def noise_of(measured: Measured, replays: Sequence[Measured], shares: Sequence[float], policy: Policy) -> Noise:
    """The noise floor of a run of the whole suite, from replays of a part of it. Pure.

    ``shares`` holds the share of changed rankings of each replay.
    """
    queries = len(replays[0].suite.queries)
    floor = noise_floor([gating_means(each, policy) for each in replays], shares, queries=queries)
    if queries < sum(query.is_judged for query in measured.suite.queries):
        floor = replace(floor, means={}, deviations=_whole_run(floor.deviations, measured, replays))
    return _with_answers(floor, measured, replays, policy)


def _whole_run(deviations: Mapping[str, float], measured: Measured, replays: Sequence[Measured]) -> dict[str, float]:
    """Deviations of the means of a whole run, from replays of a part of its queries."""
    sizes = {series: len(ids) for name in measured.measurements for series, ids in _series_ids(measured, name).items()}
    own = {}
    for series in deviations:
        stratum, _, name = series.rpartition("/")
        ids = _strata(measured, name).get(stratum, set())
        values = _common([each.measurements[name] for each in replays if name in each.measurements], ids)
        if values.shape[0] > 1 and values.shape[1] > 0:
            own[series] = own_noise(values, size=sizes[series])
    return own


def _series_ids(measured: Measured, name: str) -> dict[str, set[str]]:
    return {f"{stratum}/{name}": ids for stratum, ids in _strata(measured, name).items()}


def _with_answers(noise: Noise, measured: Measured, replays: Sequence[Measured], policy: Policy) -> Noise:
    """The noise floor with the noise of the answers that all replays share; unchanged if some replays failed."""
    if not all(_answers_came(each, policy) for each in replays):
        return noise
    gating = set(policy.gating.get(Axis(measured.suite.axis), ())) & {*ANSWER_MEASURES}
    deviations = dict(noise.deviations)
    for name in gating & set(measured.measurements):
        for stratum, ids in _strata(measured, name).items():
            values = _common([each.measurements[name] for each in replays if name in each.measurements], ids)
            if values.shape[0] > 1 and values.shape[1] > 0:
                deviations[f"{stratum}/{name}"] = own_noise(values, size=len(ids))
    shares = [share_of_answers_changed(replays[0].run.outcomes, each.run.outcomes) for each in replays[1:]]
    return replace(noise, deviations=deviations, answer_replays=len(replays), answers_changed=max(shares, default=0.0))


def _strata(measured: Measured, name: str) -> dict[str, set[str]]:
    """Ids of the queries with a value of this measure, in the whole suite and in each stratum that is not a control."""
    stratum_of = {query.query_id: query.stratum for query in measured.suite.queries}
    strata: dict[str, set[str]] = {OVERALL: set(measured.measurements[name].query_ids)}
    for query_id in measured.measurements[name].query_ids:
        if stratum_of[query_id] not in measured.suite.controls:
            strata.setdefault(stratum_of[query_id], set()).add(query_id)
    return strata


def _common(measurements: Sequence[Measurements], ids: set[str]) -> Floats:
    """Values of the queries with a score in every replay, shape (replays, queries)."""
    columns = [dict(zip(each.query_ids, each.values.tolist(), strict=True)) for each in measurements]
    shared = sorted(ids.intersection(*columns)) if columns else []
    return np.array([[column[query_id] for query_id in shared] for column in columns], np.float64).reshape(
        len(columns), len(shared)
    )


def _deployment(measured: Measured) -> str:
    return " / ".join(filter(None, (measured.run.deployment, measured.run.answerer)))


def _answers_came(measured: Measured, policy: Policy) -> bool:
    """Whether answers were requested and enough of them succeeded."""
    replies = measured.replies
    return replies is not None and replies.scored > 0 and replies.coverage >= policy.coverage_floor


async def _discard(_: Sequence[Outcome]) -> None:
    """Outcomes of these replays are not stored; only the noise floor is."""

"""The variance of a suite's measures: from stored runs, from its own measured difficulty, or assumed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from monitor.adapters import registry
from monitor.cli.identifiers import load_run
from monitor.errors import ConfigError, RetrieverError, StoreError
from monitor.evaluation.measures import ANSWER_MEASURES, function
from monitor.evaluation.scoring import PAIR_MEASURES, measure, run_depth
from monitor.model.measurements import Measured
from monitor.model.measures import MEASURES
from monitor.model.policies import Policy
from monitor.model.runs import Outcome, Ranking, Run, RunStatus
from monitor.model.suites import Suite
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.probing.replay import replay
from monitor.service import wiring
from monitor.statistics.pairing import OVERALL, Paired, pair
from monitor.statistics.power import CORRELATION, Spread, spread_of_differences, spread_of_values
from monitor.suites.difficulty import read_difficulties
from monitor.suites.reading import has_corpus
from monitor.world import Endpoints

ASSUMED_DEVIATION, ASSUMED_PAIR_DEVIATION, ASSUMED_ICC = 0.4, 0.5, 0.1
"""Assumptions without data: deviations over queries (the built-in domains have 0.27 to 0.39; a measure of only 0 and 1
has at most 0.5), and the correlation within clusters (the built-in domains have up to 0.10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceOptions:
    """The source of the variance, and the assumptions that replace missing data."""

    target: str | None = None
    run_id: str | None = None
    local: bool = False
    policy: str = "default"
    baseline_sd: float | None = None
    correlation_option: float | None = None

    @property
    def correlation(self) -> float:
        """The correlation between two runs, if only one run exists."""
        return CORRELATION if self.correlation_option is None else self.correlation_option


@dataclass(frozen=True, slots=True)
class SuitePower:
    """The statistical power of a suite, and the source of its variance."""

    suite: Suite
    source: str
    spreads: dict[tuple[str, str], Spread] = field(default_factory=dict)
    """(stratum, measure) → spread."""


async def from_store(store: Store, suite: Suite, policy: Policy, options: VarianceOptions) -> SuitePower:
    """The variance between the latest two runs that differ, or of one run if the target never changed."""
    runs = await _stored_runs(store, suite, options)
    latest = measure(await store.load_run(runs[0].run_id), suite, _measures(policy))
    other = next((run for run in runs if run.fingerprint != runs[0].fingerprint), None)
    if options.run_id or other is None:
        return from_run(latest, policy, options)
    before = measure(await store.load_run(other.run_id), suite, _measures(policy))
    paired = [each for each in pair(before, latest, policy) if each.gating]
    source = f"the differences between runs {other.run_id} and {runs[0].run_id}"
    return SuitePower(suite, source, {_key(each): spread_of_differences(each) for each in paired})


async def _stored_runs(store: Store, suite: Suite, options: VarianceOptions) -> list[Run]:
    if options.run_id:
        runs = [await load_run(store, options.run_id)]
    else:
        runs = await store.list_runs(500, RunStatus.FINISHED, options.target)
    matching = [run for run in runs if run.suite_digest == suite.digest and run.status is RunStatus.FINISHED]
    if not matching:
        subject = f"run {options.run_id}" if options.run_id else f"target {options.target}"
        raise StoreError(
            f"{subject} has no finished run of this version of suite {suite.name}; `recallwatch run` makes one"
        )
    return matching


def from_run(measured: Measured, policy: Policy, options: VarianceOptions) -> SuitePower:
    """The variance of one run, with an assumed correlation between runs."""
    paired = [each for each in pair(measured, measured, policy) if each.gating]
    spreads = {_key(each): spread_of_values(each, correlation=options.correlation) for each in paired}
    source = f"run {measured.run.run_id} alone, with an assumed correlation of {options.correlation:g} between runs"
    return SuitePower(measured.suite, source, spreads)


async def replay_locally(folder: Path, suite: Suite, policy: Policy) -> Measured:
    """Replay the suite over its own documents with the model of the extra ``local``."""
    if not has_corpus(folder):
        raise ConfigError("--local", f"{folder} has no corpus.jsonl to search; use --target")
    retriever = registry.resolve("retriever", {"kind": "local", "corpus": [folder]}, where="--local").build()
    depth, started_at = run_depth(suite, _measures(policy)), wiring.utc_now()

    async def save(_: Sequence[Outcome]) -> None:
        """Store nothing: the suite is measured, not the target."""

    try:
        with Console(stderr=True).status(f"{folder}: {len(suite.queries)} queries"):
            outcomes = await replay(
                suite.queries, Endpoints(retriever=retriever, depth=depth), save=save, watch=lambda _: None
            )
    finally:
        await retriever.close()
    for outcome in outcomes:
        if outcome.failure:
            raise RetrieverError(outcome.failure.reason, outcome.failure.detail)
    run = Run(
        run_id="local",
        cycle_id="local",
        target="local",
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=depth,
        started_at=started_at,
        finished_at=wiring.utc_now(),
        status=RunStatus.FINISHED,
        outcomes=outcomes,
    )
    return measure(run, suite, _measures(policy))


def from_head(folder: Path, suite: Suite, policy: Policy, options: VarianceOptions) -> SuitePower:
    """The variance that suite.yaml records, else the assumed one."""
    difficulties = None if options.baseline_sd else read_difficulties(folder)
    if difficulties is None:
        return _assumed(suite, policy, options)
    spreads, missing = {}, []
    for (stratum, name), sizes in _sizes(suite, policy):
        if difficulty := difficulties.strata.get(stratum, {}).get(name):
            spreads[stratum, name] = Spread(difficulty.mean, difficulty.difference, difficulty.icc, sizes)
        else:
            missing.append(f"{name} of {stratum}")
    source = f"suite.yaml: {difficulties.by}, {difficulties.swap}"
    if difficulties.digest != suite.digest:
        source += "; measured on another version of the suite"
    return SuitePower(suite, f"{source}; not measured: {', '.join(missing)}" if missing else source, spreads)


def _assumed(suite: Suite, policy: Policy, options: VarianceOptions) -> SuitePower:
    factor = math.sqrt(2 * (1 - options.correlation))
    spreads = {}
    for (stratum, name), sizes in _sizes(suite, policy):
        deviation = options.baseline_sd or (ASSUMED_PAIR_DEVIATION if name in PAIR_MEASURES else ASSUMED_DEVIATION)
        spreads[stratum, name] = Spread(math.nan, factor * deviation, ASSUMED_ICC, sizes)
    deviations = f"{options.baseline_sd or ASSUMED_DEVIATION:g}"
    if not options.baseline_sd:
        deviations += f" ({ASSUMED_PAIR_DEVIATION:g} for pairs)"
    correlations = f"{options.correlation:g} between runs, {ASSUMED_ICC:g} within clusters"
    return SuitePower(
        suite, f"assumptions: a standard deviation of {deviations}, correlations of {correlations}", spreads
    )


def _sizes(suite: Suite, policy: Policy) -> Iterator[tuple[tuple[str, str], NDArray[np.intp]]]:
    """(stratum, measure) with the number of queries in each cluster, for each measure that can page."""
    strata = (OVERALL, *suite.strata) if len(suite.strata) > 1 else (OVERALL,)
    for name in policy.gating.get(suite.axis, ()):
        scored = _scored(suite, name)
        for stratum in strata:
            if stratum in suite.controls:  # never pages
                continue
            clusters = Counter(
                (query.stratum, query.cluster)
                for query in suite.queries
                if query.query_id in scored and stratum in (OVERALL, query.stratum)
            )
            if clusters:
                yield (stratum, name), np.array(list(clusters.values()), np.intp)


def _scored(suite: Suite, name: str) -> set[str]:
    """The queries that have a value of a measure once they have a ranking."""
    judged = {query.query_id for query in suite.queries if query.is_judged}
    if name in ANSWER_MEASURES:
        return {query.query_id for query in suite.queries if query.answers}
    if name not in PAIR_MEASURES:
        return judged
    both_found = {
        pair.query_id: Ranking(doc_ids=(pair.satisfying_id, pair.violating_id), scores=(1.0, 0.0))
        for pair in suite.pairs
        if pair.query_id in judged
    }
    return set(function(MEASURES[name])(suite.pairs, both_found)[0])


def _measures(policy: Policy) -> tuple[str, ...]:
    return Plan(target="", suites=(), policy=policy).measures


def _key(paired: Paired) -> tuple[str, str]:
    return paired.stratum, paired.measure

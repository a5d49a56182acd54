"""How small a drop a suite could show: from stored runs, from its own measured difficulty, or from what is assumed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, RenderableType
from rich.table import Table

from monitor.adapters import registry
from monitor.cli.result import Result
from monitor.config.config import Config
from monitor.config.init_template import DEFAULT_CONFIG
from monitor.errors import ConfigError, RetrieverError, StoreError
from monitor.evaluation.answers.measurements import ANSWER_MEASURES
from monitor.evaluation.scoring import PAIR_MEASURES, depth_of, measure
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.runs import Outcome, Ranking, Run, RunStatus
from monitor.model.suites import Suite
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.probing.replay import replay
from monitor.reports.terminal import finite
from monitor.service import wiring
from monitor.statistics.pairing import OVERALL, Paired, pair
from monitor.statistics.power import CORRELATION, LEAST_MEAN, Spread, spread_of_differences, spread_of_values
from monitor.suites import locating
from monitor.suites.difficulty import read_difficulties
from monitor.suites.reading import has_corpus, read_suite
from monitor.world import Endpoints

DROPS = (0.02, 0.05, 0.08)
"""Shares of the baseline for which the number of queries is told."""
ASSUMED_DEVIATION, ASSUMED_PAIR_DEVIATION, ASSUMED_ICC = 0.4, 0.5, 0.1
"""Where nothing is known: deviations over queries (the built-in domains have 0.27 to 0.39; right or wrong has 0.5 at
most), and the correlation within clusters (the built-in domains have up to 0.10)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where the variance is to come from, and how it is read."""

    target: str | None = None
    run_id: str | None = None
    local: bool = False
    policy: str = "default"
    baseline_sd: float | None = None
    stated_correlation: float | None = None

    @property
    def correlation(self) -> float:
        """Between two runs, where only one is known."""
        return CORRELATION if self.stated_correlation is None else self.stated_correlation


@dataclass(frozen=True, slots=True)
class Power:
    """What a suite can show, and where that is known from."""

    suite: Suite
    source: str
    spreads: dict[tuple[str, str], Spread] = field(default_factory=dict)
    """(stratum, measure) to spread."""


async def power(config_path: Path, folders: Sequence[str], wanted: Wanted) -> Result:
    """The detectable effects of suites."""
    config = _config(config_path)
    policy = config.policy(wanted.policy)
    if sum(map(bool, (wanted.target, wanted.run_id, wanted.local))) > 1:
        raise ConfigError("suite power", "give one of --target, --run and --local")
    suites = [(locating.suite_folder(folder), read_suite(locating.suite_folder(folder))) for folder in folders]
    if wanted.target or wanted.run_id:
        async with wiring.open_store(config) as store:
            found = [await _from_store(store, suite, policy, wanted) for _, suite in suites]
    elif wanted.local:
        found = [_from_run(await _replayed(folder, suite, policy), policy, wanted) for folder, suite in suites]
    else:
        found = [_from_head(folder, suite, policy, wanted) for folder, suite in suites]
    shown: list[RenderableType] = [part for each in found for part in _shown(each, policy)]
    return Result(shown, {"alpha": policy.alpha_warn, "power": 0.8, "suites": [_plain(each, policy) for each in found]})


def _config(path: Path) -> Config:
    """The configuration; none is needed where none was named."""
    return Config() if path == DEFAULT_CONFIG and not path.exists() else wiring.load(path).config


async def _from_store(store: Store, suite: Suite, policy: Policy, wanted: Wanted) -> Power:
    """The latest two runs that differ; of a deterministic target that never changed, there is only one."""
    runs = await _stored_runs(store, suite, wanted)
    latest = measure(await store.load_run(runs[0].run_id), suite, _measures(policy))
    other = next((run for run in runs if run.fingerprint != runs[0].fingerprint), None)
    if wanted.run_id or other is None:
        return _from_run(latest, policy, wanted)
    before = measure(await store.load_run(other.run_id), suite, _measures(policy))
    paired = [each for each in pair(before, latest, policy) if each.gating]
    source = f"the differences between runs {other.run_id} and {runs[0].run_id}"
    return Power(suite, source, {_key(each): spread_of_differences(each) for each in paired})


async def _stored_runs(store: Store, suite: Suite, wanted: Wanted) -> list[Run]:
    if wanted.run_id:
        runs = [await store.load_run(wanted.run_id)]
    else:
        runs = [run for run in await store.list_runs(500, RunStatus.FINISHED) if run.target == wanted.target]
    fitting = [run for run in runs if run.suite_digest == suite.digest and run.status is RunStatus.FINISHED]
    if not fitting:
        what = f"run {wanted.run_id}" if wanted.run_id else f"target {wanted.target}"
        raise StoreError(
            f"{what} has no finished run of this version of suite {suite.name}; `recallwatch run` makes one"
        )
    return fitting


def _from_run(measured: Measured, policy: Policy, wanted: Wanted) -> Power:
    paired = [each for each in pair(measured, measured, policy) if each.gating]
    spreads = {_key(each): spread_of_values(each, correlation=wanted.correlation) for each in paired}
    source = f"run {measured.run.run_id} alone, with a correlation of {wanted.correlation:g} between runs assumed"
    return Power(measured.suite, source, spreads)


async def _replayed(folder: Path, suite: Suite, policy: Policy) -> Measured:
    """The suite asked of its own documents by the model that the extra ``local`` brings along."""
    if not has_corpus(folder):
        raise ConfigError("--local", f"{folder} brings no corpus.jsonl to search; use --target")
    retriever = registry.resolve("retriever", {"kind": "local", "corpus": [folder]}, where="--local").build()
    depth, started_at = max(depth_of(_measures(policy)), suite.depth), wiring.utc_now()

    async def keep(_: Sequence[Outcome]) -> None:
        """Nothing is kept: the suite is measured, not the target."""

    try:
        with Console(stderr=True).status(f"{folder}: {len(suite.queries)} queries"):
            outcomes = await replay(suite.queries, Endpoints(retriever, depth), keep=keep, watch=lambda _: None)
    finally:
        await retriever.close()
    for outcome in outcomes:
        if outcome.failure:
            raise RetrieverError(outcome.failure.reason, outcome.failure.detail)
    run = Run(
        "local", "local", "local", suite.name, suite.digest, suite.axis, depth, started_at, wiring.utc_now(),
        RunStatus.FINISHED, outcomes=outcomes,
    )  # fmt: skip
    return measure(run, suite, _measures(policy))


def _from_head(folder: Path, suite: Suite, policy: Policy, wanted: Wanted) -> Power:
    """What the suite's head keeps of it, else what is assumed."""
    kept = None if wanted.baseline_sd else read_difficulties(folder)
    if kept is None:
        return _assumed(suite, policy, wanted)
    spreads, missing = {}, []
    for (stratum, name), sizes in _sizes(suite, policy):
        if each := kept.strata.get(stratum, {}).get(name):
            spreads[stratum, name] = Spread(each.mean, each.difference, each.icc, sizes)
        else:
            missing.append(f"{name} of {stratum}")
    told = f"suite.yaml: {kept.by}, {kept.swap}"
    if kept.digest != suite.digest:
        told += "; measured of another version of the suite"
    return Power(suite, f"{told}; not measured: {', '.join(missing)}" if missing else told, spreads)


def _assumed(suite: Suite, policy: Policy, wanted: Wanted) -> Power:
    factor = math.sqrt(2 * (1 - wanted.correlation))
    spreads = {}
    for (stratum, name), sizes in _sizes(suite, policy):
        deviation = wanted.baseline_sd or (ASSUMED_PAIR_DEVIATION if name in PAIR_MEASURES else ASSUMED_DEVIATION)
        spreads[stratum, name] = Spread(math.nan, factor * deviation, ASSUMED_ICC, sizes)
    stated = f"{wanted.baseline_sd or ASSUMED_DEVIATION:g}"
    if not wanted.baseline_sd:
        stated += f" ({ASSUMED_PAIR_DEVIATION:g} for pairs)"
    told = f"{wanted.correlation:g} between runs, {ASSUMED_ICC:g} within clusters"
    return Power(suite, f"assumptions: a standard deviation of {stated}, correlations of {told}", spreads)


def _sizes(suite: Suite, policy: Policy) -> Iterator[tuple[tuple[str, str], NDArray[np.intp]]]:
    """(stratum, measure) with the number of queries in each cluster, for all that can page."""
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
    return set(PAIR_MEASURES[name](suite.pairs, dict.fromkeys(judged, Ranking(())))[0])


def _measures(policy: Policy) -> tuple[str, ...]:
    return Plan("", (), policy).measures


def _key(paired: Paired) -> tuple[str, str]:
    return paired.stratum, paired.measure


def _shown(found: Power, policy: Policy) -> Iterator[RenderableType]:
    suite = found.suite
    table = Table(
        title=f"{suite.name} ({suite.axis}) · smallest drop seen with 80 % power at an error of {policy.alpha_warn:g}",
        caption=f"variance from {found.source}",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("stratum", "measure"):
        table.add_column(heading, no_wrap=True)
    headings = ("queries", "clusters", "baseline", "σ_d", "deff", "points", "relative")
    for heading in (*headings, *(f"n for {drop:.0%}" for drop in DROPS)):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in _rows(found, policy):
        needed = (_told(row["queries_needed"][f"{drop:g}"], ",") for drop in DROPS)
        table.add_row(
            row["stratum"],
            row["measure"],
            f"{row['n_queries']}",
            f"{row['n_clusters']}",
            _told(row["baseline_mean"], ".3f"),
            _told(row["deviation"], ".3f"),
            f"{row['design_effect']:.2f}",
            "" if row["mde"] is None else f"{100 * row['mde']:.1f}",
            _told(row["mde_relative"], ".1%"),
            *needed,
            style="bold" if row["stratum"] == OVERALL else None,
        )
    yield table


def _plain(found: Power, policy: Policy) -> dict[str, Any]:
    return {"suite": found.suite.name, "variance_from": found.source, "detectable": list(_rows(found, policy))}


def _rows(found: Power, policy: Policy) -> Iterator[dict[str, Any]]:
    """One for each measure of each stratum; None where a number does not exist."""
    for (stratum, name), spread in found.spreads.items():
        mde = spread.detectable(alpha=policy.alpha_warn)
        yield {
            "stratum": stratum,
            "measure": name,
            "n_queries": spread.n_queries,
            "n_clusters": len(spread.sizes),
            "baseline_mean": finite(spread.mean),
            "deviation": finite(spread.deviation),
            "icc": spread.icc,
            "design_effect": spread.design_effect,
            "mde": finite(mde),
            "mde_relative": finite(mde / spread.mean) if spread.mean >= LEAST_MEAN else None,
            "queries_needed": {f"{drop:g}": spread.queries_needed(drop, alpha=policy.alpha_warn) for drop in DROPS},
        }


def _told(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)

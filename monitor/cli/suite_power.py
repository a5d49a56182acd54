"""`recallwatch suite power`: the smallest drop that a suite can detect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, PolicyName, SuiteFolders, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from monitor.cli.variance_sources import SuitePower, VarianceOptions
    from monitor.config.config import Config
    from monitor.model.policies import Policy

DROPS = (0.02, 0.05, 0.08)
"""Drops as shares of the baseline, for which the number of queries is printed."""


def suite_power(
    folders: SuiteFolders,
    target: Annotated[str | None, typer.Option(help="Take the variance from the stored runs of a target.")] = None,
    run_id: Annotated[str | None, typer.Option("--run", help="Take it from one stored run.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Measure now with the model of the extra local.")] = False,
    baseline_sd: Annotated[
        float | None, typer.Option(min=0.0, help="Assume this standard deviation of a measure over queries.")
    ] = None,
    correlation: Annotated[
        float | None,
        typer.Option(min=-1.0, max=1.0, help="The correlation of two runs if only one exists; by default 0.57."),
    ] = None,
    policy: PolicyName = "default",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Estimate the smallest drop that suites can detect, and the queries needed for a smaller one."""
    from monitor.cli.variance_sources import VarianceOptions

    options = VarianceOptions(
        target=target,
        run_id=run_id,
        local=local,
        policy=policy,
        baseline_sd=baseline_sd,
        correlation_option=correlation,
    )
    finish(perform(estimate_power(config, folders, options)), as_json)


async def estimate_power(config_path: Path, folders: Sequence[str], options: VarianceOptions) -> Result:
    """The detectable drops of suites."""
    from monitor.cli import variance_sources
    from monitor.service import wiring
    from monitor.suites import locating
    from monitor.suites.reading import read_suite

    config = _config(config_path)
    policy = config.policy(options.policy)
    if sum(map(bool, (options.target, options.run_id, options.local))) > 1:
        raise ConfigError("suite power", "give one of --target, --run and --local")
    suites = [(locating.suite_folder(folder), read_suite(locating.suite_folder(folder))) for folder in folders]
    if options.target or options.run_id:
        async with wiring.open_store(config) as store:
            powers = [await variance_sources.from_store(store, suite, policy, options) for _, suite in suites]
    elif options.local:
        measured = [await variance_sources.replay_locally(folder, suite, policy) for folder, suite in suites]
        powers = [variance_sources.from_run(each, policy, options) for each in measured]
    else:
        powers = [variance_sources.from_head(folder, suite, policy, options) for folder, suite in suites]
    output: list[RenderableType] = [part for power in powers for part in _tables(power, policy)]
    data = {"alpha": policy.alpha_warn, "power": 0.8, "suites": [_to_dict(power, policy) for power in powers]}
    return Result(output, data)


def _config(path: Path) -> Config:
    """The configuration; without --config it may be missing."""
    from monitor.config.config import Config
    from monitor.service import wiring

    return Config() if path == DEFAULT_CONFIG and not path.exists() else wiring.load(path).config


def _tables(power: SuitePower, policy: Policy) -> Iterator[RenderableType]:
    from rich.table import Table

    from monitor.statistics.pairing import OVERALL

    suite = power.suite
    table = Table(
        title=f"{suite.name} ({suite.axis}) · smallest drop detected with 80 % power at an error of "
        f"{policy.alpha_warn:g}",
        caption=f"variance from {power.source}",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("stratum", "measure"):
        table.add_column(heading, no_wrap=True)
    headings = ("queries", "clusters", "baseline", "σ_d", "deff", "points", "relative")
    for heading in (*headings, *(f"n for {drop:.0%}" for drop in DROPS)):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in _rows(power, policy):
        n_queries = (_cell(row["queries_needed"][f"{drop:g}"], ",") for drop in DROPS)
        table.add_row(
            row["stratum"],
            row["measure"],
            f"{row['n_queries']}",
            f"{row['n_clusters']}",
            _cell(row["baseline_mean"], ".3f"),
            _cell(row["deviation"], ".3f"),
            f"{row['design_effect']:.2f}",
            "" if row["mde"] is None else f"{100 * row['mde']:.1f}",
            _cell(row["mde_relative"], ".1%"),
            *n_queries,
            style="bold" if row["stratum"] == OVERALL else None,
        )
    yield table


def _to_dict(power: SuitePower, policy: Policy) -> dict[str, Any]:
    return {"suite": power.suite.name, "variance_from": power.source, "detectable": list(_rows(power, policy))}


def _rows(power: SuitePower, policy: Policy) -> Iterator[dict[str, Any]]:
    """One row for each measure of each stratum; None where a number does not exist."""
    from monitor.reports.terminal import finite
    from monitor.statistics.power import LEAST_MEAN

    for (stratum, name), spread in power.spreads.items():
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


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)

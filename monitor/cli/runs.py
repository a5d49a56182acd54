"""What the commands do; `cli.py` only says how they are called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.alerting.outbox import OutboxWorker
from monitor.cli.result import NOT_MEASURED, REFUSED, Result
from monitor.config.config import Config, Target
from monitor.config.init_template import DEFAULT_CONFIG
from monitor.cycle import run_cycle
from monitor.errors import ConfigError, StoreError
from monitor.model.deployments import Baseline, Swap
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.verdicts import Verdict, VerdictName
from monitor.ports.store import Store
from monitor.reports import terminal
from monitor.service import abandoned_runs, wiring
from monitor.world import World

EXIT_CODES = {VerdictName.REGRESSED: 1, VerdictName.TRADE_OFF: 1}


async def serve(path: Path) -> None:
    """Run the daemon until it is told to stop."""
    from monitor.service.daemon import serve_forever

    await serve_forever(lambda: wiring.load(path))


async def migrate(path: Path) -> None:
    """Bring the schema of the database up to date."""
    await wiring.migrate(wiring.load(path).config)


async def run(path: Path, target: str, suites: tuple[str, ...], policy: str) -> Result:
    """Replay suites against a target now, and judge the result against the baseline."""
    parts = parts_for(path, target)
    plan = replace(wiring.plan_for(parts, target, suites, policy), asked=True)
    async with wiring.open_store(parts.config) as store:
        await abandoned_runs.close_abandoned_runs(store, now=wiring.utc_now())
        live = wiring.connect(parts, target)
        world = World(
            store, live.retriever, parts.config.on_call, wiring.utc_now, abandoned_runs.this_process(),
            answerer=live.answerer, judge=live.judge, raw_retriever=live.raw_retriever,
        )  # fmt: skip
        try:
            with progress(target, sum(len(suite.queries) for suite in plan.suites)) as watch:
                found = await run_cycle(plan, world, watch=watch)
            await deliver_now(parts, store)
        finally:
            await live.close()
    data = {
        "verdict": terminal.verdict_to_dict(found.verdict),
        "runs": [terminal.run_to_dict(each) for each in found.measured],
        "swaps": [_swap(swap) for swap in found.swaps],
    }
    covered = all(each.counts.coverage >= plan.policy.coverage_floor for each in found.measured)
    tables = (table for each in found.measured for table in terminal.run_tables(each))
    shown = [*tables, terminal.verdict_text(found.verdict)]
    return Result(shown, data, exit_code_of(found.verdict, is_covered=covered))


async def show_baselines(path: Path) -> Result:
    """The baselines that hold, and the latest runs."""
    async with wiring.open_store(parts_for(path).config) as store:
        baselines, runs = await store.baselines(), await store.list_runs(20)
    return Result(
        [terminal.baseline_table(baselines), terminal.runs_table(runs, baselines)],
        {
            "baselines": [terminal.plain(each) for each in baselines],
            "runs": [terminal.plain(each, leave_out=("outcomes",)) for each in runs],
        },
    )


async def promote(path: Path, run_id: str | None, target: str | None, by: str, reason: str) -> Result:
    """Make a run, or the latest run of each suite of a target, the baseline."""
    async with wiring.open_store(parts_for(path).config) as store:
        if run_id is not None:
            runs = [await store.load_run(run_id)]
        else:
            finished = await store.list_runs(500, RunStatus.FINISHED)
            latest = {each.suite_name: each for each in reversed(finished) if each.target == target}
            runs = list(latest.values())
        _refuse_unfit(runs, target)
        promoted = [Baseline(each.target, each.suite_name, each.run_id, by, reason, wiring.utc_now()) for each in runs]
        for baseline in promoted:
            await store.promote(baseline)
    return Result([terminal.baseline_table(promoted)], {"promoted": [terminal.plain(each) for each in promoted]})


def _refuse_unfit(runs: list[Run], target: str | None) -> None:
    if not runs:
        raise StoreError(f"target {target} has no finished run to promote; `recallwatch run` makes one")
    for each in runs:
        if each.status is not RunStatus.FINISHED:
            raise StoreError(f"run {each.run_id} is {each.status}, not finished: it cannot be a baseline")


def parts_for(path: Path, *targets: str) -> wiring.CheckedConfig:
    """The configuration, with the targets added that are given by their URLs; URLs alone need no configuration."""
    urls = [each for each in targets if each.startswith(("http://", "https://"))]
    for url in urls:
        if "@" in urlsplit(url).netloc:  # the URL is the target's name, which is kept, shown and exported
            raise ConfigError("target", "a URL with credentials cannot name a target; state it in a configuration")
    needs_none = path == DEFAULT_CONFIG and not path.exists() and len(urls) == len(targets)
    config = Config() if needs_none else wiring.load(path).config
    by_url = {url: Target(retriever={"kind": "http", "url": url}) for url in urls}
    return wiring.assemble(config.model_copy(update={"targets": {**config.targets, **by_url}}))


async def deliver_now(parts: wiring.CheckedConfig, store: Store) -> None:
    """Send what was queued at once; what fails stays queued for the daemon."""
    notifiers = {name: part.build() for name, part in parts.notifiers.items()}
    try:
        await OutboxWorker(store, notifiers, wiring.utc_now, on_call=parts.config.on_call).deliver_due()
    finally:
        for notifier in notifiers.values():
            await notifier.close()


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[Outcome], None]]:
    """A bar on standard error, so that standard output stays clean."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]}"))
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task(f"probing {name}", total=total, failed="")
        failures = 0

        def watch(outcome: Outcome) -> None:
            nonlocal failures
            failures += outcome.failure is not None
            bar.update(task, advance=1, failed=f"{failures} failed" if failures else "")

        yield watch


def exit_code_of(verdict: Verdict, *, is_covered: bool = True) -> int:
    """What a verdict says to a script."""
    if verdict.name is VerdictName.INVALID:
        return REFUSED if is_covered else NOT_MEASURED
    return EXIT_CODES.get(verdict.name, 0)


def _swap(swap: Swap) -> dict[str, Any]:
    told = terminal.plain(swap, leave_out=("target", "suite_name", "detected_at"))
    return {"suite": swap.suite_name, **told, "detected_at": swap.detected_at.isoformat()}

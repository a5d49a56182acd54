"""What the commands do; `cli.py` only says how they are called."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitor import report, wiring
from monitor.config import Config, Target
from monitor.cycle import Plan, World, decide, run_cycle
from monitor.delivery import Courier
from monitor.errors import StoreError
from monitor.evaluation.scoring import measure
from monitor.model import Outcome, Run, RunStatus
from monitor.ports import Store
from monitor.replay import probe
from monitor.starter import DEFAULT_CONFIG
from monitor.verdict import Baseline, Look, Verdict, VerdictName

EXIT_CODES = {VerdictName.REGRESSED: 1, VerdictName.TRADE_OFF: 1}
REFUSED, NOT_MEASURED = 2, 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found: for people, for programs, and as an exit code."""

    shown: list[RenderableType]
    data: dict[str, Any]
    exit_code: int = 0


def run_until_done(work: Coroutine[Any, Any, T]) -> T:
    """Run on the fast event loop where there is one; SIGTERM breaks off as tidily as Ctrl-C."""
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_break_off_on_sigterm(work))


async def _break_off_on_sigterm(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def configure_logging(level: int = logging.WARNING) -> None:
    """One JSON object a line on standard error, where a log collector expects it; standard output is for answers."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def serve(path: Path) -> None:
    """Run the daemon until it is told to stop."""
    from monitor.daemon import serve_forever

    await serve_forever(lambda: wiring.load(path))


async def migrate(path: Path) -> None:
    """Bring the schema of the database up to date."""
    await wiring.migrate(wiring.load(path).config)


async def check(path: Path) -> Answer:
    """Check the configuration and the suites, and probe each target once."""
    from monitor.schedule import trigger_of

    parts = wiring.load(path)
    for name, schedule in parts.config.schedules.items():
        trigger_of(schedule, where=f"schedules.{name}")
    suites = {name: wiring.load_suite(parts.config, name) for name in parts.config.suites}
    shown: list[RenderableType] = [f"[green]✓[/] {path}: the configuration is right"]
    shown += [
        f"[green]✓[/] suite {name}: {len(suite.queries)} queries in {len(suite.strata)} strata ({suite.axis})"
        for name, suite in suites.items()
    ]
    query = next((query for suite in suites.values() for query in suite.queries if query.is_judged), None)
    found: dict[str, Any] = {}
    for name, part in parts.retrievers.items():
        retriever = part.build()
        try:
            outcome = await probe(query, retriever, depth=10, attempts=1) if query else None
        finally:
            await retriever.close()
        found[name] = _told(outcome)
        shown.append(_check_line(name, outcome))
    failed = any("failure" in each for each in found.values())
    data = {"suites": {name: len(suite.queries) for name, suite in suites.items()}, "targets": found}
    return Answer(shown, data, NOT_MEASURED if failed else 0)


async def run(path: Path, target: str, suites: tuple[str, ...], policy: str) -> Answer:
    """Replay suites against a target now, and judge the result against the baseline."""
    parts = _parts_for(path, target)
    plan = replace(wiring.plan_for(parts, target, suites, policy), asked=True)
    async with wiring.open_store(parts.config) as store:
        await wiring.close_abandoned_runs(store, now=wiring.utc_now())
        retriever = parts.retrievers[target].build()
        world = World(store, retriever, parts.config.on_call, wiring.utc_now, wiring.this_process())
        try:
            with _progress(plan) as watch:
                found = await run_cycle(plan, world, watch=watch)
            await deliver_now(parts, store)
        finally:
            await retriever.close()
    data = {
        "verdict": report.verdict_to_dict(found.verdict),
        "runs": [report.run_to_dict(each) for each in found.measured],
        "swaps": [{"suite": swap.suite_name, "share_changed": swap.share_changed} for swap in found.swaps],
    }
    covered = all(each.counts.coverage >= plan.policy.coverage_floor for each in found.measured)
    shown = [*map(report.run_table, found.measured), report.verdict_text(found.verdict)]
    return Answer(shown, data, _exit_code(found.verdict, is_covered=covered))


async def compare_runs(path: Path, baseline_id: str, candidate_id: str, policy: str) -> Answer:
    """Compare two stored runs of one suite."""
    parts = _parts_for(path, None)
    async with wiring.open_store(parts.config) as store:
        before, after = await store.load_run(baseline_id), await store.load_run(candidate_id)
        for each in (before, after):
            if each.status is not RunStatus.FINISHED:
                raise StoreError(f"run {each.run_id} is {each.status}, not finished: it cannot be compared")
        suites = [await store.load_suite(each.suite_digest) for each in (before, after)]
    plan = Plan(after.target, (suites[1],), parts.config.policy(policy))
    measured = [measure(each, suite, plan.measures) for each, suite in zip((before, after), suites, strict=True)]
    look = Look(0, "asked for", plan.policy.alpha_page)
    verdict = decide(plan, measured[1:], measured[:1], look, cycle_id=after.cycle_id, at=wiring.utc_now())
    return Answer([report.verdict_text(verdict)], report.verdict_to_dict(verdict), _exit_code(verdict))


async def show_baselines(path: Path) -> Answer:
    """The baselines that hold, and the latest runs."""
    async with wiring.open_store(_parts_for(path, None).config) as store:
        baselines, runs = await store.baselines(), await store.list_runs(20)
    return Answer(
        [report.baseline_table(baselines), report.runs_table(runs, baselines)],
        {
            "baselines": [report.plain(each) for each in baselines],
            "runs": [report.plain(each, leave_out=("outcomes",)) for each in runs],
        },
    )


async def promote(path: Path, run_id: str | None, target: str | None, by: str, reason: str) -> Answer:
    """Make a run, or the latest run of each suite of a target, the baseline."""
    async with wiring.open_store(_parts_for(path, None).config) as store:
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
    return Answer([report.baseline_table(promoted)], {"promoted": [report.plain(each) for each in promoted]})


def _refuse_unfit(runs: list[Run], target: str | None) -> None:
    if not runs:
        raise StoreError(f"target {target} has no finished run to promote; `recallwatch run` makes one")
    for each in runs:
        if each.status is not RunStatus.FINISHED:
            raise StoreError(f"run {each.run_id} is {each.status}, not finished: it cannot be a baseline")


def _parts_for(path: Path, target: str | None) -> wiring.Parts:
    """The configuration, with a target added where one is given by its URL; a URL needs no configuration."""
    is_url = target is not None and target.startswith(("http://", "https://"))
    config = Config() if path == DEFAULT_CONFIG and not path.exists() and (is_url or target is None) else None
    if config is None:
        config = wiring.load(path).config
    if is_url and target is not None:
        by_url = Target(retriever={"kind": "http", "url": target})
        config = config.model_copy(update={"targets": {**config.targets, target: by_url}})
    return wiring.assemble(config)


async def deliver_now(parts: wiring.Parts, store: Store) -> None:
    """Send what was queued at once; what fails stays queued for the daemon."""
    notifiers = {name: part.build() for name, part in parts.notifiers.items()}
    try:
        await Courier(store, notifiers, wiring.utc_now, on_call=parts.config.on_call).deliver_due()
    finally:
        for notifier in notifiers.values():
            await notifier.close()


@contextmanager
def _progress(plan: Plan) -> Iterator[Callable[[Outcome], None]]:
    """A bar on standard error, so that standard output stays clean."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]}"))
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        total = sum(len(suite.queries) for suite in plan.suites)
        task = bar.add_task(f"probing {plan.target}", total=total, failed="")
        failures = 0

        def watch(outcome: Outcome) -> None:
            nonlocal failures
            failures += outcome.failure is not None
            bar.update(task, advance=1, failed=f"{failures} failed" if failures else "")

        yield watch


def _exit_code(verdict: Verdict, *, is_covered: bool = True) -> int:
    if verdict.name is VerdictName.INVALID:
        return REFUSED if is_covered else NOT_MEASURED
    return EXIT_CODES.get(verdict.name, 0)


def _told(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {"skipped": "no suite has a judged query"}
    if outcome.failure:
        return {"failure": outcome.failure.reason, "detail": outcome.failure.detail}
    hits = outcome.ranking.hits if outcome.ranking else ()
    return {"hits": len(hits), "first": hits[0].doc_id if hits else None, "seconds": outcome.duration_s}


def _check_line(name: str, outcome: Outcome | None) -> str:
    if outcome is None:
        return f"[yellow]?[/] target {name}: not probed, no suite has a judged query"
    if outcome.failure:
        return f"[red]✗[/] target {name}: {outcome.failure.reason}: {outcome.failure.detail}"
    hits = outcome.ranking.hits if outcome.ranking else ()
    scores = "with scores" if hits and hits[0].score is not None else "without scores"
    return f"[green]✓[/] target {name}: {len(hits)} hits {scores} in {1000 * outcome.duration_s:.0f} ms"

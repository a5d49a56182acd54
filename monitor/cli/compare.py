"""`recallwatch compare`: compare two stored runs of one suite, or two live targets side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.result import Result, exit_code_of
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, PolicyName, finish, perform
from monitor.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from monitor.model.measurements import Measured
    from monitor.model.runs import Run
    from monitor.plan import Plan
    from monitor.ports.store import Store
    from monitor.probing.context_replay import ContextReplayResult
    from monitor.service import wiring


def compare(
    runs: Annotated[
        list[str] | None, typer.Argument(help="The baseline run and the candidate run, by id or its beginning.")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="Instead of runs: the live target to compare with.")] = None,
    candidate: Annotated[str | None, typer.Option(help="The live target that may replace it.")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="A suite to send to both targets. Repeatable.")] = None,
    attribution: Annotated[
        bool,
        typer.Option(help="Replay contexts to attribute an answer drop, if the answerer accepts contexts."),
    ] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    policy: PolicyName = "default",
    as_json: AsJson = False,
) -> None:
    """Compare two stored runs of one suite, or two live targets side by side."""
    if baseline is not None and candidate is not None and suite and not runs:
        from monitor.cli.side_by_side import compare_targets

        work = compare_targets(config, baseline, candidate, tuple(suite), policy)
    elif runs is not None and len(runs) == 2 and baseline is None and candidate is None:
        work = compare_runs(config, runs[0], runs[1], policy, attribution)
    else:
        raise ConfigError("compare", "give either two run ids, or --baseline, --candidate and at least one --suite")
    finish(perform(work), as_json)


async def compare_runs(path: Path, baseline_id: str, candidate_id: str, policy: str, attribution: bool) -> Result:
    """Compare two stored runs of one suite; with ``attribution``, replay contexts to attribute an answer drop."""
    from monitor.change_detection.look import ON_REQUEST
    from monitor.cli.url_targets import load_with_targets
    from monitor.decision.verdict import decide
    from monitor.evaluation.scoring import measure
    from monitor.model.results import SuiteResult
    from monitor.model.verdicts import Look
    from monitor.plan import Plan
    from monitor.reports import terminal
    from monitor.service import wiring

    checked = load_with_targets(path)
    async with wiring.open_store(checked.config) as store:
        runs = [await _load_finished(store, run_id) for run_id in (baseline_id, candidate_id)]
        suites = [await store.load_suite(run.suite_digest) for run in runs]
    plan = Plan(target=runs[1].target, suites=(suites[1],), policy=checked.config.policy(policy))
    measured = [measure(run, suite, plan.measures) for run, suite in zip(runs, suites, strict=True)]
    look = Look(0, ON_REQUEST, plan.policy.alpha_page)
    result = SuiteResult(measured=measured[1], baseline=measured[0])
    verdict = decide(plan, [result], look, cycle_id=runs[1].cycle_id, at=wiring.utc_now())
    output, data = [terminal.verdict_text(verdict)], terminal.verdict_to_dict(verdict)
    if attribution:
        replayed = await _replay(checked, measured[0], measured[1], plan)
        output.append(_sentences(replayed))
        data["replay"] = _to_dict(replayed)
    return Result(output, data, exit_code_of(verdict))


async def _load_finished(store: Store, run_id: str) -> Run:
    from monitor.cli.identifiers import load_run
    from monitor.model.runs import RunStatus

    run = await load_run(store, run_id)
    if run.status is not RunStatus.FINISHED:
        raise StoreError(f"run {run.run_id} is {run.status}, not finished: it cannot be compared")
    return run


async def _replay(checked: wiring.CheckedConfig, before: Measured, after: Measured, plan: Plan) -> ContextReplayResult:
    """The answers of the target's present answerer to the contexts of both runs."""
    from rich.console import Console

    from monitor.probing.context_replay import replay_contexts
    from monitor.service import wiring

    target = after.run.target
    if target not in checked.answerers:
        raise ConfigError(f"targets.{target}.answerer", "is missing; --attribution sends new queries to it")
    clients = wiring.connect(checked, target)
    try:
        if clients.answerer is None or not clients.answerer.takes_contexts:
            problem = "accepts no contexts, so they cannot be exchanged; name {contexts} in its request"
            raise ConfigError(f"targets.{target}.answerer", problem)
        texts = wiring.texts_of(checked.config, after.suite)
        with Console(stderr=True).status(f"{target} answers from the contexts of both runs"):
            return await replay_contexts(before, after, clients.answerer, texts, plan.policy)
    finally:
        await clients.close()


def _sentences(replayed: ContextReplayResult) -> RenderableType:
    from rich.text import Text

    attribution, ceiling = replayed.attribution, replayed.ceiling
    lines = [f"Replayed {attribution.n_queries} queries: {attribution.sentence}."]
    lines.append(
        f"With the relevant documents as contexts the same generator reaches {ceiling.mean:.3f}; retrieval leaves "
        f"{-100 * ceiling.left_before.difference:.1f} points of that unused in the baseline and "
        f"{-100 * ceiling.left_after.difference:.1f} now."
    )
    if replayed.failed:
        lines.append(f"{replayed.failed} queries could not be replayed and are left out.")
    return Text("\n".join(lines))


def _to_dict(replayed: ContextReplayResult) -> dict[str, Any]:
    from dataclasses import asdict

    from monitor.diagnosis.insights import attribution_to_dict
    from monitor.probing.context_replay import SCORER

    return {
        **attribution_to_dict(replayed.attribution, SCORER),
        "ceiling": asdict(replayed.ceiling),
        "failed": replayed.failed,
    }

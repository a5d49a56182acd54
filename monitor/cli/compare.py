"""`recallwatch compare`: compare two stored runs of one suite, or two live targets side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result, exit_code_of
from monitor.cli.terminal import AsJson, Bounds, PolicyName, Whole, finish, perform
from monitor.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from monitor.model.runs import Run
    from monitor.ports.records import StoredRuns


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="The baseline run and the candidate run: ids, their beginnings, @baseline or @latest."),
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="Instead of runs: the live target to compare with.")] = None,
    candidate: Annotated[str | None, typer.Option(help="The live target that may replace it.")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="A suite to send to both targets. Repeatable.")] = None,
    attribution: Annotated[
        bool,
        typer.Option(help="Replay contexts to attribute an answer drop, if an answerer accepts contexts."),
    ] = False,
    place: Place = HERE,
    policy: PolicyName = "default",
    whole: Whole = False,
    bounds: Bounds = False,
    as_json: AsJson = False,
) -> None:
    """Compare two stored runs of one suite, or two live targets side by side."""
    if place.server is not None and (attribution or not runs):
        raise ConfigError("--server", "compares two stored runs, without --attribution; the daemon gates live targets")
    if baseline is not None and candidate is not None and suite and not runs:
        from monitor.cli.side_by_side import compare_targets

        work = compare_targets(
            place.config,
            baseline,
            candidate,
            tuple(suite),
            policy,
            attribution=attribution,
            is_whole=whole,
            with_bounds=bounds,
        )
    elif runs is not None and len(runs) == 2 and baseline is None and candidate is None:
        work = compare_runs(place, runs[0], runs[1], policy, attribution, is_whole=whole)
    else:
        raise ConfigError("compare", "give either two run ids, or --baseline, --candidate and at least one --suite")
    finish(perform(work), as_json)


async def compare_runs(
    place: Place, baseline_id: str, candidate_id: str, policy: str, attribution: bool, *, is_whole: bool = False
) -> Result:
    """Compare two stored runs of one suite; with ``attribution``, replay contexts to attribute an answer drop."""
    from monitor.change_detection.look import ON_REQUEST
    from monitor.cli.session import open_session
    from monitor.decision.verdict import decide
    from monitor.evaluation.scoring import measure
    from monitor.model.results import SuiteResult
    from monitor.model.verdicts import Look
    from monitor.plan import Plan
    from monitor.reports import terminal
    from monitor.reports.comparison import verdict_text
    from monitor.service import wiring

    async with open_session(place) as session:
        records = session.records
        runs = [await _load_finished(records, run_id) for run_id in (baseline_id, candidate_id)]
        suites = [await records.load_suite(run.suite_digest) for run in runs]
        plan = Plan(target=runs[1].target, suites=(suites[1],), policy=await session.policy(policy))
    measured = [measure(run, suite, plan.measures) for run, suite in zip(runs, suites, strict=True)]
    look = Look(0, ON_REQUEST, plan.policy.alpha_page)
    result = SuiteResult(measured=measured[1], baseline=measured[0])
    verdict = decide(plan, [result], look, cycle_id=runs[1].cycle_id, at=wiring.utc_now())
    output, data = [verdict_text(verdict, is_whole=is_whole)], terminal.verdict_to_dict(verdict)
    if attribution:
        from monitor.cli.context_replay import replay_stored
        from monitor.cli.url_targets import load_with_targets

        replayed = await replay_stored(load_with_targets(place.config), measured[0], measured[1], plan)
        output.append(replayed.output)
        data["replay"] = replayed.data
    return Result(output, data, exit_code_of(verdict))


async def _load_finished(records: StoredRuns, run_id: str) -> Run:
    from monitor.cli.identifiers import load_run
    from monitor.model.runs import RunStatus

    run = await load_run(records, run_id)
    if run.status is not RunStatus.FINISHED:
        raise StoreError(f"run {run.run_id} is {run.status}, not finished: it cannot be compared")
    return run

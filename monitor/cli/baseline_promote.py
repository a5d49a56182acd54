"""`recallwatch baseline promote`: make a run the baseline of its target and suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, By, PolicyName, finish, perform
from monitor.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from monitor.model.policies import Policy
    from monitor.model.runs import Run
    from monitor.ports.records import Records


def baseline_promote(
    reason: Annotated[str, typer.Option(help="Why this run is trusted.")],
    by: By,
    run_id: Annotated[
        str | None, typer.Argument(help="The run, by its id or the beginning of it; or give --target.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Promote the latest run of each suite of this target.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Promote even if no drop of this run could page.")] = False,
    policy: PolicyName = "default",
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a run the baseline of its target and suite."""
    if (run_id is None) == (target is None):
        raise ConfigError("baseline promote", "give either a run id or --target")
    record = {"promoted_by": by, "reason": reason}
    finish(perform(promote(place, (run_id, target), record, None if force else policy)), as_json)


async def promote(
    place: Place, choice: tuple[str | None, str | None], record: dict[str, str], policy_name: str | None
) -> Result:
    """Make a run, or the latest run of each suite of a target, the baseline.

    Runs that cannot fall by the policy are refused; without a policy they are not checked.
    """
    from monitor.cli.session import open_session
    from monitor.model.deployments import Baseline
    from monitor.reports import terminal
    from monitor.service import wiring

    async with open_session(place) as session:
        records = session.records
        runs = await _runs_to_promote(records, *choice)
        if policy_name is not None:
            await _refuse_without_room(runs, await session.policy(policy_name), records)
        promoted = [
            Baseline(
                target=run.target,
                suite_name=run.suite_name,
                run_id=run.run_id,
                promoted_at=wiring.utc_now(),
                **record,
            )
            for run in runs
        ]
        for baseline in promoted:
            await records.promote(baseline)
        places = [(each.target, each.suite_name) for each in promoted]
        promoted = [each for each in await records.baselines() if (each.target, each.suite_name) in places]
    data = {"promoted": [terminal.plain(baseline) for baseline in promoted]}
    return Result([terminal.baseline_table(promoted)], data)


async def _refuse_without_room(runs: list[Run], policy: Policy, records: Records) -> None:
    """Raise ConfigError if no drop of a run could page, or if one of its gating measures is on its lowest value."""
    from monitor.decision.room_to_fall import doubts
    from monitor.evaluation.scoring import measure
    from monitor.plan import Plan

    reasons: list[str] = []
    for run in runs:
        suite = await records.load_suite(run.suite_digest)
        measures = Plan(target=run.target, suites=(suite,), policy=policy).measures
        reasons += doubts(measure(await records.load_run(run.run_id), suite, measures), policy)
    if reasons:
        raise ConfigError("baseline promote", f"{'; '.join(reasons)}; fix it, or promote with --force")


async def _runs_to_promote(records: Records, run_id: str | None, target: str | None) -> list[Run]:
    from monitor.cli.identifiers import load_run
    from monitor.model.runs import RunStatus

    if run_id is None:
        finished = await records.list_runs(500, RunStatus.FINISHED, target)
        runs = list({run.suite_name: run for run in reversed(finished)}.values())
    else:
        runs = [await load_run(records, run_id)]
    if not runs:
        raise StoreError(f"target {target} has no finished run to promote; `recallwatch run` makes one")
    for run in runs:
        if run.status is not RunStatus.FINISHED:
            raise StoreError(f"run {run.run_id} is {run.status}, not finished: it cannot be a baseline")
    return runs

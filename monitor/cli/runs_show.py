"""`recallwatch runs show`: one run with its measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, Bounds, PolicyName, RunId, finish, perform

if TYPE_CHECKING:
    from monitor.model.runs import Run


def runs_show(
    run: RunId,
    policy: PolicyName = "default",
    bounds: Bounds = False,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Show one run: counts, coverage, and its measures by stratum."""
    finish(perform(show_run(place, run, policy, with_bounds=bounds)), as_json)


async def show_run(place: Place, prefix: str, policy: str, *, with_bounds: bool = False) -> Result:
    """One run, measured from its stored outcomes."""
    from monitor.cli.identifiers import load_run
    from monitor.cli.session import open_session
    from monitor.evaluation.scoring import measure
    from monitor.plan import Plan
    from monitor.reports import terminal

    async with open_session(place) as session:
        records = session.records
        run = await load_run(records, prefix)
        suite = await records.load_suite(run.suite_digest)
        plan = Plan(target=run.target, suites=(suite,), policy=await session.policy(policy))
        measured = await records.load_measured(run.run_id) if run.dropped_at else measure(run, suite, plan.measures)
    return Result(
        [*terminal.run_tables(measured, with_bounds=with_bounds and not run.dropped_at), *_dropped(run)],
        terminal.run_to_dict(measured) | {"status": str(run.status), "dropped_at": run.dropped_at},
    )


def _dropped(run: Run) -> list[str]:
    if run.dropped_at is None:
        return []
    return [
        f"Rankings and answers were dropped by retention on {run.dropped_at:%Y-%m-%d}; these are the measures of the "
        "time of the run."
    ]

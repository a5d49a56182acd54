"""The daily budget of probes for one target."""

from __future__ import annotations

from monitor.errors import BudgetError
from monitor.plan import Plan
from monitor.probing.grading import A_DAY
from monitor.world import World


async def refuse_beyond_budget(plan: Plan, world: World) -> None:
    """Raise BudgetError if the cycle would exceed the daily number of probes for the target."""
    if plan.probes_per_day is None:
        return
    sent = await world.store.count_probes(plan.target, world.now() - A_DAY)
    n_probes = sum(len(suite.queries) for suite in plan.suites)
    if sent + n_probes > plan.probes_per_day:
        raise BudgetError(
            f"{plan.target} received {sent} probes in the last 24 hours and the cycle needs {n_probes} more; "
            f"targets.{plan.target}.limits.probes_per_day allows {plan.probes_per_day}"
        )

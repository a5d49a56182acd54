"""The daily budget of probes for one target."""

from __future__ import annotations

from monitor.errors import BudgetError
from monitor.plan import Plan
from monitor.probing.grading import A_DAY
from monitor.world import World


async def refuse_beyond_budget(plan: Plan, world: World) -> None:
    """Raise BudgetError if the cycle would send more probes than the target may get in a day."""
    if plan.probes_per_day is None:
        return
    sent = await world.store.count_probes(plan.target, world.now() - A_DAY)
    wanted = sum(len(suite.queries) for suite in plan.suites)
    if sent + wanted > plan.probes_per_day:
        raise BudgetError(
            f"{plan.target} got {sent} probes in the last 24 hours and the cycle has {wanted} more; "
            f"targets.{plan.target}.limits.probes_per_day allows {plan.probes_per_day}"
        )

"""The daily budget of one target: everything that it is sent counts."""

from __future__ import annotations

from monitor.errors import BudgetError
from monitor.model.suites import Suite
from monitor.plan import Plan
from monitor.probing.grading import A_DAY
from monitor.probing.rate_limit import allowance_of
from monitor.world import World


async def refuse_beyond_budget(plan: Plan, world: World) -> None:
    """Raise BudgetError if the probes and answers of the cycle would exceed the daily budget of the target.

    The store knows the probes of all processes, and the allowance every request of this one; the larger count is used.
    """
    if plan.probes_per_day is None:
        return
    stored = await world.store.count_probes(plan.target, world.now() - A_DAY)
    allowance = allowance_of(world.retriever)
    allowance.add(max(stored - allowance.sent(), 0))
    sent = allowance.sent()
    n_requests = sum(requests_of(suite, has_answerer=world.answerer is not None) for suite in plan.suites)
    if sent + n_requests > plan.probes_per_day:
        raise BudgetError(
            f"{plan.target} received {sent} requests in the last 24 hours and the cycle needs {n_requests} more; "
            f"targets.{plan.target}.limits.probes_per_day allows {plan.probes_per_day}"
        )


def requests_of(suite: Suite, *, has_answerer: bool) -> int:
    """Number of requests of one run: a probe for each judged query, and an answer where one is scored or followed."""
    judged = [query for query in suite.queries if query.is_judged]
    followed = {query.follows for query in judged}
    answered = [query for query in judged if query.answers or query.query_id in followed]
    return len(judged) + (len(answered) if has_answerer else 0)

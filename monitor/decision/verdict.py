"""From measured runs and their baselines to a verdict. Pure: it can be decided again from the database alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import numpy as np

from monitor.decision import judgement
from monitor.decision.comparison import METHOD, compare
from monitor.decision.lost_queries import lost_queries
from monitor.diagnosis.insights import insights, sentences
from monitor.errors import ComparisonError
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.verdicts import Evidence, Look, Verdict
from monitor.plan import Plan
from monitor.statistics.pairing import paired_coverage

RUN_BEFORE = "run_before"
"""Where a verdict's insights hold what the last swap did by itself."""


def decide(
    plan: Plan,
    measured: Sequence[Measured],
    baselines: Sequence[Measured | None],
    look: Look | None,
    *,
    cycle_id: str,
    at: datetime,
) -> Verdict:
    """The verdict on one cycle. Pure: the same runs and policy give the same verdict, to the last digit."""
    policy = replace(plan.policy, alpha_page=look.alpha) if look else plan.policy
    judged = [(before, after) for before, after in zip(baselines, measured, strict=True) if before]
    seed = seed_of(judged)
    judgement_, evidence = weigh(judged, measured, policy, seed, may_page=look is not None)
    explained = insights(judged, policy, np.random.default_rng(seed)) if evidence else {}
    return Verdict(
        verdict_id=uuid4().hex,
        cycle_id=cycle_id,
        target=plan.target,
        name=judgement_.name,
        summary=" ".join((judgement_.summary, *sentences(explained))),
        advice=judgement_.advice,
        evidence=evidence,
        run_ids=tuple(each.run.run_id for each in measured),
        baseline_run_ids=tuple(before.run.run_id for before, _ in judged),
        policy=policy,
        policy_digest=judgement.digest_of(plan.policy),
        seed=seed,
        method=METHOD,
        decided_at=at,
        look=look.number if look else 0,
        look_reason=look.why if look else "",
        lost_queries=lost_queries(judged) if judgement_.name.pages else (),
        insights=explained,
    )


def with_run_before(verdict: Verdict, before: Sequence[tuple[Measured, Measured]], policy: Policy) -> Verdict:
    """The verdict with what the same policy says of the swap by itself: what was served before against what is now.

    It pages nobody; a slow decay, step by step, is seen against the pinned baseline alone.
    """
    if not before:
        return verdict
    told, _ = weigh(before, [now for _, now in before], policy, seed_of(before), may_page=False)
    step = {
        "verdict": str(told.name),
        "summary": told.summary,
        "runs": {now.suite.name: [then.run.run_id, now.run.run_id] for then, now in before},
    }
    return replace(verdict, insights={**verdict.insights, RUN_BEFORE: step})


def weigh(
    judged: Sequence[tuple[Measured, Measured]],
    measured: Sequence[Measured],
    policy: Policy,
    seed: int,
    *,
    may_page: bool = True,
) -> tuple[judgement.Judgement, tuple[Evidence, ...]]:
    """Judgement and evidence: invalid first, then what the evidence says."""
    for each in measured:
        if refused := judgement.refuse_coverage(each.counts.coverage, each.suite.name, each.counts, policy):
            return refused, ()
    if not judged:
        return judgement.no_baseline([each.suite.name for each in measured]), ()
    try:
        evidence = tuple(compare(judged, policy, rng=np.random.default_rng(seed)))
    except ComparisonError as error:
        return judgement.not_comparable(str(error)), ()
    for before, after in judged:
        share = paired_coverage(before, after)
        if refused := judgement.refuse_coverage(share, after.suite.name, after.counts, policy):
            return refused, evidence
    return judgement.judge(evidence, policy, may_page=may_page), evidence


def seed_of(judged: Sequence[tuple[Measured, Measured]]) -> int:
    """A seed that follows from the rankings themselves: judging the same results twice is one look, not two."""
    content = "".join(before.run.fingerprint + after.run.fingerprint for before, after in judged)
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:7])

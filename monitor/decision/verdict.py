"""From the results of a cycle to a verdict. Pure: the database alone suffices to recompute it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import numpy as np

from monitor.decision import judgement
from monitor.decision.comparison import METHOD, compare, pair_all
from monitor.decision.corpus_change import CorpusChange, corpus_changes
from monitor.decision.corpus_change import sentence as corpus_sentence
from monitor.decision.lost_queries import lost_queries
from monitor.decision.room_to_fall import suites_without_room
from monitor.decision.safety import axis_safety
from monitor.diagnosis.insights import insights, sentences
from monitor.errors import ComparisonError
from monitor.model.causes import CauseName
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.suites import Axis
from monitor.model.verdicts import AxisSafety, Evidence, Look, Verdict, VerdictName
from monitor.plan import Plan
from monitor.statistics.pairing import paired_coverage

RUN_BEFORE, SAFETY, CAUSES, REPLICAS, CORPUS = "run_before", "safety", "causes", "replicas", "corpus"
"""Keys of a verdict's insights: the step since the run before, safety of each axis, likely causes, replicas, corpus."""
REPLICAS_SENTENCE = "The same results keep coming back: replicas behind one address return different results."

Runs = Sequence[tuple[Measured, Measured]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A judgement with the evidence for it."""

    judgement: judgement.Judgement
    evidence: tuple[Evidence, ...] = ()
    safety: tuple[AxisSafety, ...] = ()
    step: Mapping[str, Any] | None = None
    corpus_changes: tuple[CorpusChange, ...] = ()


def decide(
    plan: Plan,
    results: Sequence[SuiteResult],
    look: Look | None,
    *,
    cycle_id: str,
    at: datetime,
    causes: Mapping[str, str] | None = None,
    replicas: int = 0,
) -> Verdict:
    """The verdict on one cycle. Pure: the same runs and policy give exactly the same verdict.

    Parameters
    ----------
    results
        The run of each suite, its baseline, and the run before a swap where there is one.
    look
        The comparison that may page and its error level; None if nothing changed, so that no page is possible.
    causes
        The likely cause of the change, by suite, if a swap was detected.
    replicas
        Number of times that replaced results came back; 0 without signs of replicas.
    """
    policy = replace(plan.policy, alpha_page=look.alpha) if look else plan.policy
    compared = [(each.baseline, each.measured) for each in results if each.baseline]
    seed = seed_of(compared)
    weighed = weigh(results, policy, seed, may_page=look is not None, causes=causes or {})
    explained = insights(compared, policy, np.random.default_rng(seed)) if weighed.evidence else {}
    notes = [corpus_sentence(each) for each in weighed.corpus_changes] + [REPLICAS_SENTENCE] * bool(replicas)
    summary = " ".join((weighed.judgement.summary, *sentences(explained), *notes))
    return Verdict(
        verdict_id=uuid4().hex,
        cycle_id=cycle_id,
        target=plan.target,
        name=weighed.judgement.name,
        summary=summary,
        advice=weighed.judgement.advice,
        evidence=weighed.evidence,
        run_ids=tuple(each.measured.run.run_id for each in results),
        baseline_run_ids=tuple(before.run.run_id for before, _ in compared),
        policy=policy,
        policy_digest=judgement.digest_of(plan.policy),
        seed=seed,
        method=METHOD,
        decided_at=at,
        look=look.number if look else 0,
        look_reason=look.why if look else "",
        lost_queries=lost_queries(compared, fallen_of(weighed.evidence)) if weighed.judgement.name.pages else (),
        insights=explained | _notes(weighed, causes or {}, replicas),
    )


def weigh(
    results: Sequence[SuiteResult], policy: Policy, seed: int, *, may_page: bool, causes: Mapping[str, str]
) -> Weighed:
    """Judgement and evidence; `invalid` instead of a pass or a doubt where a suite has no room to fall."""
    weighed = _weigh(results, policy, seed, may_page=may_page, causes=causes)
    if weighed.judgement.name.pages or weighed.judgement.name is VerdictName.INVALID:
        return weighed
    reasons = suites_without_room(results, policy)
    return replace(weighed, judgement=judgement.no_room(reasons)) if reasons else weighed


def _weigh(
    results: Sequence[SuiteResult], policy: Policy, seed: int, *, may_page: bool, causes: Mapping[str, str]
) -> Weighed:
    """Judgement and evidence: `invalid` first, then the judgement of the evidence."""
    for result in results:
        counts = result.measured.counts
        if refused := judgement.refuse_coverage(counts.coverage, result.measured.suite.name, counts, policy):
            return Weighed(judgement=refused)
    compared = [(each.baseline, each.measured) for each in results if each.baseline]
    if not compared:
        return Weighed(judgement=judgement.no_baseline([each.measured.suite.name for each in results]))
    stepped = [(each.previous, each.measured) for each in results if each.previous and each.baseline]
    # At a swap each of the two comparisons is tested at half the level.
    tested = replace(policy, alpha_page=policy.alpha_page / 2) if stepped else policy
    try:
        pairs = pair_all(compared, policy)
        step = compare(pair_all(stepped, policy), tested, rng=np.random.default_rng(seed_of(stepped)))
    except ComparisonError as error:
        return Weighed(judgement=judgement.not_comparable(str(error)))
    evidence = judgement.mark(compare(pairs, tested, rng=np.random.default_rng(seed)), step, policy)
    for before, after in compared:
        share = paired_coverage(before, after)
        if refused := judgement.refuse_coverage(share, after.suite.name, after.counts, policy):
            return Weighed(judgement=refused, evidence=evidence)
    safety = tuple(axis_safety(pairs, policy))
    model_changed = bool(causes) and all(is_model_change(cause) for cause in causes.values())
    return Weighed(
        judgement=judgement.judge(evidence, safety, policy, may_page=may_page, model_changed=model_changed),
        evidence=evidence,
        safety=safety,
        step=_step(stepped, step, policy) if stepped else None,
        corpus_changes=tuple(corpus_changes(compared)),
    )


def fallen_of(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The evidence that pages; the broad axis alone where it fell, because its loss is what users notice."""
    fallen = tuple(each for each in evidence if each.fallen)
    return tuple(each for each in fallen if each.axis is Axis.BROAD) or fallen


def is_model_change(cause: str) -> bool:
    """Whether the likely cause is a change of an embedding model."""
    return cause.startswith((CauseName.MODEL_CHANGED.label, CauseName.ENCODERS_DIVERGED.label))


def seed_of(compared: Runs) -> int:
    """A seed derived from the rankings, so that the same results give the same verdict."""
    content = "".join(before.run.fingerprint + after.run.fingerprint for before, after in compared)
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:7])


def _step(stepped: Runs, step: Sequence[Evidence], policy: Policy) -> dict[str, Any]:
    """The judgement of the latest swap by itself."""
    marked = judgement.mark(step, (), policy)
    verdict = judgement.judge(marked, (), policy)
    return {
        "verdict": str(verdict.name),
        "summary": verdict.summary if any(each.fallen for each in marked) else "No measure fell beyond its floors.",
        "runs": {after.suite.name: [before.run.run_id, after.run.run_id] for before, after in stepped},
        "fallen": [[each.suite, each.stratum, each.measure] for each in marked if each.fallen],
    }


def _notes(weighed: Weighed, causes: Mapping[str, str], replicas: int) -> dict[str, Any]:
    notes: dict[str, Any] = {REPLICAS: replicas} if replicas else {}
    if weighed.corpus_changes:
        notes[CORPUS] = [asdict(each) for each in weighed.corpus_changes]
    if weighed.step:
        notes[RUN_BEFORE] = weighed.step
    if weighed.safety:
        notes[SAFETY] = [
            {key: None if value != value else value for key, value in asdict(each).items()} for each in weighed.safety
        ]
    return notes | ({CAUSES: dict(causes)} if causes else {})

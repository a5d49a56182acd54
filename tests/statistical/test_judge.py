"""A judge that changes its mind is noise: over many replays of one deployment it pages no more often than alpha."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from monitor.decision.verdict import weigh
from monitor.evaluation.scoring import measure
from monitor.model.answers import Answer, Grades, Reply
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.runs import Outcome, Ranking, Run, RunStatus
from monitor.model.suites import Axis, Query, Suite
from monitor.model.verdicts import VerdictName
from monitor.statistics.comparability import judge_drift

pytestmark = pytest.mark.slow
N, REPLAYS, FICKLE = 150, 200, 0.2
QUERIES = tuple(
    Query(query_id=f"q{i}", text=f"q{i}", stratum="all", cluster=f"c{i // 2}", grades={f"d{i}": 1}, answers=("yes",))
    for i in range(N)
)
SUITE = Suite(name="suite", version="1", axis=Axis.BROAD, queries=QUERIES, digest="suite")
POLICY = Policy(resamples=999, gating={Axis.BROAD: ("ndcg@10", "answer_judged")})
RUN = Run(
    run_id="r",
    cycle_id="c",
    target="t",
    suite_name="suite",
    suite_digest="suite",
    axis=Axis.BROAD,
    depth=10,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    judge="judge",
)


def graded(grades: np.ndarray, anchors: tuple[tuple[float, float], ...] = ()):
    """A measured run of one deployment, with these grades of its answers."""
    outcomes = tuple(
        Outcome(
            query_id=query.query_id,
            ranking=Ranking(doc_ids=(f"d{i}",)),
            reply=Reply(answer=Answer(text="yes"), grades=Grades("judge", (float(grades[i]),))),
        )
        for i, query in enumerate(QUERIES)
    )
    return measure(replace(RUN, outcomes=outcomes, status=RunStatus.FINISHED, anchors=anchors), SUITE)


def test_a_judge_that_changes_its_mind_a_fifth_of_the_time_does_not_regress_anything():
    """In 200 replays of the same answers, `regressed` comes no more often than the policy's alpha allows."""
    rng = np.random.default_rng(20_260_101)
    right = rng.random(N) < 0.7
    regressed = 0
    for replay in range(REPLAYS):
        before, after = (graded(np.where(rng.random(N) < FICKLE, ~right, right).astype(float)) for _ in range(2))
        weighed = weigh([SuiteResult(measured=after, baseline=before)], POLICY, replay, may_page=True, causes={})
        regressed += weighed.judgement.name is VerdictName.REGRESSED
    # 3-sigma bound on 200 draws at alpha = 0.01.
    assert regressed <= REPLAYS * POLICY.alpha_page + 3 * np.sqrt(REPLAYS * POLICY.alpha_page)


def test_a_fickle_judge_does_not_look_as_if_it_had_moved():
    """With fifty frozen answers, drift is claimed no more often than its level allows, and a real drift is seen."""
    rng = np.random.default_rng(7)
    right = rng.random(50) < 0.7

    def moods(shift: float) -> tuple[tuple[float, float], ...]:
        then, now = (np.where(rng.random(50) < FICKLE, ~right, right).astype(float) for _ in range(2))
        return tuple(zip(then.tolist(), (now * (1 - shift)).tolist(), strict=True))

    def moved(shift: float) -> float:
        drifts = [judge_drift(moods(shift)) for _ in range(1_000)]
        return sum(drift is not None and drift.has_moved for drift in drifts) / 1_000

    assert moved(0.0) <= 0.01 + 3 * np.sqrt(0.01 / 1_000)
    assert moved(0.6) > 0.9

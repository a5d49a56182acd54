"""The contract of every store for answers, grades and deployments."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.errors import Reason
from monitor.evaluation.answers.measurements import answers_fingerprint
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.answers import Answer, Grades, Reply
from monitor.model.deployments import Deployment
from monitor.model.runs import RunStatus
from monitor.ports.store import Store
from tests.contract.test_stores import NOW, Check, a_run, a_suite, outcomes_of
from tests.contract.test_stores import check as check

pytestmark = pytest.mark.slow

TOLD = Answer(
    text='“Yes”\n\t"it" is',
    doc_ids=("d1", 'say "z"'),
    citations=(),
    model="reader-1",
    deployment="fp_44",
    tokens={"prompt": 812, "completion": 9},
)
REPLIES = (
    Reply(answer=TOLD, duration_s=0.5),
    Reply(answer=Answer(text=""), duration_s=0.1),
    Reply(reason=Reason.RATE_LIMITED, detail="HTTP 429", duration_s=2.0),
    None,
)


def test_answers_and_grades_come_back_as_they_were_saved(check: Callable[[Check], None]) -> None:
    """Every part of a reply is stored, and grades are stored with their answers."""

    async def body(store: Store) -> None:
        suite = a_suite()
        replies = dict(zip((query.query_id for query in suite.queries), REPLIES, strict=False))
        outcomes = tuple(replace(each, reply=replies.get(each.query_id)) for each in outcomes_of(suite))
        run = a_run(suite)
        await store.save_suite(suite)
        await store.start_run(run)
        await store.save_outcomes(run.run_id, outcomes)
        grades = Grades("judge-1", (0.25, 1 / 3))
        await store.save_grades(run.run_id, {"q0": grades})
        graded = tuple(
            replace(each, reply=replace(each.reply, grades=grades)) if each.query_id == "q0" and each.reply else each
            for each in outcomes
        )
        done = replace(
            run,
            outcomes=graded,
            status=RunStatus.FINISHED,
            finished_at=NOW,
            fingerprint=fingerprint(graded),
            answers=answers_fingerprint(graded),
            answerer="reader-1 fp_44",
            judge="judge-1",
            anchors=((0.5, 1 / 3), (1.0, 1.0)),
        )
        await store.finish_run(measure(done, suite))
        loaded = await store.load_run(run.run_id)
        assert sorted(loaded.outcomes, key=lambda each: each.query_id) == sorted(graded, key=lambda each: each.query_id)
        assert replace(loaded, outcomes=()) == replace(done, outcomes=())

    check(body)


def test_a_grade_belongs_to_its_judge(check: Callable[[Check], None]) -> None:
    """A grade is found only for its judge, and every request is counted."""

    async def body(store: Store) -> None:
        await store.keep_grade("key-1", Grades("judge-1", (0.5, 1.0)), 2, NOW)
        await store.keep_grade("key-2", Grades("judge-1", (0.0,)), 1, NOW - timedelta(days=2))
        assert await store.known_grades("judge-1", ["key-1", "key-3"]) == {"key-1": Grades("judge-1", (0.5, 1.0))}
        assert await store.known_grades("judge-2", ["key-1"]) == {}
        assert await store.count_judge_requests("judge-1", NOW - timedelta(days=1)) == 2
        assert await store.count_judge_requests("judge-2", NOW - timedelta(days=1)) == 0

    check(body)


def test_deployments_are_listed_newest_first(check: Callable[[Check], None]) -> None:
    """The latest declaration comes first."""

    async def body(store: Store) -> None:
        older = Deployment(target="docs", name="march", declared_by="ada", declared_at=NOW, detail={"commit": "4f2c"})
        newer = Deployment(target="docs", name="april", declared_by="ci", declared_at=NOW + timedelta(minutes=1))
        other = Deployment(target="shop", name="x", declared_by="ada", declared_at=NOW)
        for deployment in (older, newer, other):
            await store.save_deployment(deployment)
        assert await store.deployments("docs") == [newer, older]
        assert len(await store.deployments()) == 3
        assert await store.deployments("docs", limit=1) == [newer]

    check(body)


def test_probes_of_every_run_are_counted(check: Callable[[Check], None]) -> None:
    """A budget counts the probes of every run, whatever its status."""

    async def body(store: Store) -> None:
        suite = a_suite()
        await store.save_suite(suite)
        for run_id, minutes in (("run-1", 0), ("run-2", 60)):
            await store.start_run(a_run(suite, run_id, minutes=minutes))
            await store.save_outcomes(run_id, outcomes_of(suite))
        assert await store.count_probes("target", NOW) == 2 * len(suite.queries)
        assert await store.count_probes("target", NOW + timedelta(minutes=30)) == len(suite.queries)
        assert await store.count_probes("elsewhere", NOW) == 0

    check(body)

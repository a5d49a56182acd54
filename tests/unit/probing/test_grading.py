"""A judge that refuses, stalls or talks nonsense spends no more of its budget than it served."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.errors import JudgeError, Reason
from monitor.model.answers import Answer, Reply
from monitor.model.runs import Outcome
from monitor.model.suites import Query
from monitor.probing.grading import PATIENCE_S, UNSERVED_IN_A_ROW, Graded, Grader

QUERIES = [
    Query(query_id=f"q{n}", text=f"question {n}", stratum="all", cluster=f"c{n}", grades={"d": 1}, answers=("yes",))
    for n in range(40)
]
OUTCOMES = [Outcome(query_id=query.query_id, reply=Reply(answer=Answer(text=query.text))) for query in QUERIES]
START = datetime(2026, 3, 1, tzinfo=UTC)


class ScriptedJudge:
    """Refuses until a point in time or always, or replies nonsense; counts what it received and what it served."""

    fingerprint, repeats, budget, concurrency = "judge", 1, 1_000, 4
    reads_contexts = False

    def __init__(self, clock: "Clock", *, refuses_until_s: float = 0.0, retry_after_s: float | None = None) -> None:
        self._clock, self._until_s, self._retry_after_s = clock, refuses_until_s, retry_after_s
        self.reason, self.received, self.served = Reason.RATE_LIMITED, 0, 0
        self.is_broken = False
        self.read: list[tuple[str, ...]] = []

    async def grade(self, query: str, references: Sequence[str], answer: str) -> float:
        """A grade of 1, a refusal with Retry-After, or nonsense."""
        self.received += 1
        self.read.append(tuple(references))
        if self._clock.elapsed_s < self._until_s:
            raise JudgeError(self.reason, "slow down", retry_after_s=self._retry_after_s)
        self.served += 1
        if self.is_broken:
            raise JudgeError(Reason.MALFORMED, "no score")
        return 1.0

    async def close(self) -> None:
        """There is nothing to release."""


class Clock:
    """Time that passes only in pauses."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0

    def now(self) -> datetime:
        """The start, and the pauses since."""
        return START + timedelta(seconds=self.elapsed_s)

    async def sleep(self, delay_s: float) -> None:
        """Let time pass; pauses of several requests at once overlap."""
        until_s = self.elapsed_s + delay_s
        await asyncio.sleep(0)
        self.elapsed_s = max(self.elapsed_s, until_s)


def graded(judge: ScriptedJudge, clock: Clock, store: MemoryStore | None = None) -> tuple[Graded, int]:
    """The grades of one run, and the requests that the store counts for the day."""
    kept = store or MemoryStore()

    async def run() -> tuple[Graded, int]:
        grader = Grader(judge, kept, clock.now, clock.sleep)
        grades = await grader.grade(QUERIES, OUTCOMES)
        return grades, await kept.count_judge_requests("judge", START - timedelta(days=1))

    return asyncio.run(run())


def test_retry_after_is_honoured_and_refusals_cost_nothing():
    """A judge that is overloaded for half a minute grades every answer after it, and the budget has only those."""
    clock = Clock()
    judge = ScriptedJudge(clock, refuses_until_s=30.0, retry_after_s=30.0)
    grades, counted = graded(judge, clock)
    assert len(grades.grades) == len(QUERIES) == counted
    assert judge.received - judge.served <= judge.concurrency
    assert clock.elapsed_s == 30.0


def test_pauses_double_without_retry_after():
    """Without Retry-After, pauses of one, two and four seconds bridge a short overload."""
    clock = Clock()
    grades, counted = graded(ScriptedJudge(clock, refuses_until_s=1.5), clock)
    assert len(grades.grades) == counted == len(QUERIES)
    assert clock.elapsed_s == 3.0


@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.UNREACHABLE, Reason.TIMEOUT, Reason.UNAUTHORISED])
def test_a_judge_that_serves_nothing_is_left_alone_soon(reason: Reason):
    """After a few refusals in a row no request is sent; nothing counts for the budget, and each answer has a reason."""
    clock = Clock()
    judge = ScriptedJudge(clock, refuses_until_s=1e9)
    judge.reason = reason
    grades, counted = graded(judge, clock)
    assert (grades.grades, counted) == ({}, 0)
    assert judge.received < UNSERVED_IN_A_ROW + judge.concurrency
    assert set(grades.reasons) == {query.query_id for query in QUERIES}
    assert set(grades.reasons.values()) <= {reason, Reason.RATE_LIMITED}


def test_a_long_retry_after_ends_grading_for_this_run_only():
    """A judge that wants to be left alone for an hour is not waited for; the next run grades."""
    clock, store = Clock(), MemoryStore()
    judge = ScriptedJudge(clock, refuses_until_s=3_600.0, retry_after_s=3_600.0)
    grades, counted = graded(judge, clock, store)
    assert (grades.grades, counted) == ({}, 0)
    assert clock.elapsed_s <= PATIENCE_S
    assert judge.received <= judge.concurrency
    clock.elapsed_s = 3_600.0
    assert len(graded(judge, clock, store)[0].grades) == len(QUERIES)


def test_nonsense_was_served_and_counts():
    """A reply without a score was paid for: it spends the budget, and is not requested again in this run."""
    clock = Clock()
    judge = ScriptedJudge(clock)
    judge.is_broken = True
    grades, counted = graded(judge, clock)
    assert counted == judge.received == len(QUERIES)
    assert set(grades.reasons.values()) == {Reason.MALFORMED}


def test_the_budget_bounds_what_is_served():
    """Beyond the budget, answers have the reason of a spent budget."""
    clock = Clock()
    judge = ScriptedJudge(clock)
    judge.budget = 10
    grades, counted = graded(judge, clock)
    assert len(grades.grades) == counted == judge.received == 10
    assert list(grades.reasons.values()) == [Reason.BUDGET_SPENT] * 30


def test_a_judge_of_faithfulness_reads_the_contexts_of_the_answer():
    """It gets the contexts instead of the references; an answer whose contexts are unknown has a reason."""
    clock = Clock()
    judge = ScriptedJudge(clock)
    judge.reads_contexts = True
    outcomes = [
        Outcome(query_id="q0", reply=Reply(answer=Answer(text="yes", contexts=("a page", "another page")))),
        Outcome(query_id="q1", reply=Reply(answer=Answer(text="yes"))),
    ]
    grader = Grader(judge, MemoryStore(), clock.now, clock.sleep)
    grades = asyncio.run(grader.grade(QUERIES, outcomes))
    assert judge.read == [("a page", "another page")]
    assert set(grades.grades) == {"q0"}
    assert grades.reasons == {"q1": Reason.REJECTED}

"""Grade the answers of a run with a judge, within its daily budget; grades are cached."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.errors import JudgeError, Reason
from monitor.model.answers import Answer, Grades
from monitor.model.runs import Outcome
from monitor.model.suites import Query, Suite
from monitor.ports.store import Store
from monitor.ports.targets import Judge

A_DAY = timedelta(days=1)
ANCHORS = 50
"""Number of baseline answers that are graded again in each run."""
ATTEMPTS = 4
"""Attempts for one grade, while the judge refuses or does not answer."""
FIRST_PAUSE_S, PATIENCE_S = 1.0, 60.0
"""Pause after a request that was not served, which doubles each time; a judge that requests a longer one is left alone
until the next run."""
UNSERVED_IN_A_ROW = 10
"""After so many requests in a row that were not served, no more are sent in this run."""
_SERVED = frozenset({Reason.MALFORMED, Reason.REJECTED})
"""Reasons of failures that the judge itself produced: the request was served, and counts for the budget."""

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Graded:
    """The grades of a run by query, and the reasons of the missing ones."""

    grades: Mapping[str, Grades]
    reasons: Mapping[str, Reason]


@dataclass(slots=True)
class Grader:
    """A judge with its grade cache, its remaining daily budget and its pace. All requests wait for the same pauses."""

    judge: Judge
    store: Store
    now: Callable[[], datetime]
    sleep: Sleep = asyncio.sleep
    _left: int = 0
    _resume_at: datetime | None = None
    _unserved: int = 0
    _is_stopped: bool = False

    async def grade(self, queries: Sequence[Query], outcomes: Sequence[Outcome]) -> Graded:
        """Grades for every answer with a reference that could be graded.

        An identical answer keeps its earlier grades. Beyond the budget, and where the judge returns nothing usable,
        an answer has a reason instead of a grade; it is never a zero.
        """
        references = {query.query_id: query for query in queries if query.answers}
        answers = {each.query_id: each.reply.answer for each in outcomes if each.reply and each.reply.answer}
        pending = [(references[query_id], answer) for query_id, answer in answers.items() if query_id in references]
        keys = {query.query_id: self._key_of(query, answer) for query, answer in pending}
        cache = await self.store.known_grades(self.judge.fingerprint, list(keys.values()))
        await self._begin()
        turns = asyncio.Semaphore(self.judge.concurrency)

        async def grade_one(query: Query, answer: Answer) -> tuple[str, Grades | Reason]:
            before = cache.get(keys[query.query_id])
            if before is not None:
                return query.query_id, before
            async with turns:
                return query.query_id, await self._request_grades(query, answer, keys[query.query_id])

        results = await asyncio.gather(*(grade_one(query, answer) for query, answer in pending))
        return Graded(
            {query_id: result for query_id, result in results if isinstance(result, Grades)},
            {query_id: result for query_id, result in results if isinstance(result, Reason)},
        )

    async def regrade(self, queries: Sequence[Query], answers: Sequence[Answer]) -> list[float | None]:
        """Grade answers again, without the cache: a difference from the earlier grades is a change of the judge."""
        await self._begin()
        turns = asyncio.Semaphore(self.judge.concurrency)

        async def grade_one(query: Query, answer: Answer) -> float | None:
            key = f"{self._key_of(query, answer)}/{self.now().isoformat()}"
            async with turns:
                grades = await self._request_grades(query, answer, key)
                return grades.mean if isinstance(grades, Grades) else None

        return await asyncio.gather(*map(grade_one, queries, answers))

    async def _begin(self) -> None:
        spent = await self.store.count_judge_requests(self.judge.fingerprint, self.now() - A_DAY)
        self._left = self.judge.budget - spent

    async def _request_grades(self, query: Query, answer: Answer, key: str) -> Grades | Reason:
        """All repeats of one grade, or the reason why one is missing; only served requests count for the budget."""
        scores: list[float] = []
        if self.judge.reads_contexts and answer.contexts is None:
            return Reason.REJECTED
        if self._left < self.judge.repeats:
            return Reason.BUDGET_SPENT
        self._left -= self.judge.repeats
        reason, served = None, 0
        for _ in range(self.judge.repeats):
            try:
                scores.append(await self._request_grade(query, answer))
                served += 1
            except JudgeError as error:
                reason = error.reason
                served += reason in _SERVED
        self._left += self.judge.repeats - served
        grades = Grades(self.judge.fingerprint, tuple(scores))
        # A mean over fewer repeats would be noisier than the others. Served requests without a whole grade have a key
        # of their own, which keeps them from being used as a grade.
        stored_key = key if reason is None else f"{key}/failed/{self.now().isoformat()}"
        if served:
            await self.store.keep_grade(stored_key, grades, served, self.now())
        return reason or grades

    async def _request_grade(self, query: Query, answer: Answer) -> float:
        """One grade. Requests that are not served are repeated after a pause; JudgeError after the final attempt."""
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            await self._wait()
            try:
                score = await self.judge.grade(query.text, self._read_by_judge(query, answer), answer.text)
            except JudgeError as error:
                if error.reason in _SERVED:
                    self._unserved = 0
                    raise
                self._record_refusal(error.retry_after_s or pause_s)
                if attempt == ATTEMPTS or not error.reason.is_worth_retrying:
                    raise
                pause_s *= 2
            else:
                self._unserved = 0
                return score
        raise JudgeError(Reason.UNREACHABLE, "no attempt was made")

    def _read_by_judge(self, query: Query, answer: Answer) -> Sequence[str]:
        """The texts that the judge compares the answer with: the references, or the contexts of the answer."""
        return (answer.contexts or ()) if self.judge.reads_contexts else query.answers

    def _key_of(self, query: Query, answer: Answer) -> str:
        """Cache key of a grade: SHA-256 over question, the material of the judge, and answer."""
        parts = (query.text, *self._read_by_judge(query, answer), answer.text)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    async def _wait(self) -> None:
        """Wait for the end of the pause that all requests share. Raises JudgeError once grading has stopped."""
        if self._resume_at is not None and (delay_s := (self._resume_at - self.now()).total_seconds()) > 0:
            await self.sleep(delay_s)
        if self._is_stopped:
            raise JudgeError(Reason.RATE_LIMITED, "not sent: the judge served none of the last requests")

    def _record_refusal(self, pause_s: float) -> None:
        self._unserved += 1
        self._is_stopped = self._is_stopped or self._unserved >= UNSERVED_IN_A_ROW or pause_s > PATIENCE_S
        resume_at = self.now() + timedelta(seconds=min(pause_s, PATIENCE_S))
        self._resume_at = max(self._resume_at or resume_at, resume_at)


def attach_grades(outcomes: Sequence[Outcome], graded: Graded) -> tuple[Outcome, ...]:
    """The outcomes with their grades, or with the reasons why they have none."""

    def attach(outcome: Outcome) -> Outcome:
        grades, reason = graded.grades.get(outcome.query_id), graded.reasons.get(outcome.query_id)
        if outcome.reply is None or (grades is None and reason is None):
            return outcome
        return replace(outcome, reply=replace(outcome.reply, grades=grades, ungraded=reason))

    return tuple(map(attach, outcomes))


async def regrade_anchors(grader: Grader, target: str, suite: Suite, store: Store) -> tuple[tuple[float, float], ...]:
    """Grades of a part of the baseline's answers, then and now: a difference is a change of the judge."""
    baseline = await store.baseline(target, suite.name)
    if baseline is None:
        return ()
    run = await store.load_run(baseline.run_id)
    queries = {query.query_id: query for query in suite.queries if query.answers}
    if run.judge != grader.judge.fingerprint or run.suite_digest != suite.digest:
        return ()
    answers = [
        (queries[each.query_id], each.reply.answer, each.reply.grades.mean)
        for each in run.outcomes
        if each.query_id in queries and each.reply and each.reply.answer and each.reply.grades
    ]
    frozen = answers[:: max(1, -(-len(answers) // ANCHORS))]
    grades = await grader.regrade([query for query, _, _ in frozen], [answer for _, answer, _ in frozen])
    return tuple((then, now) for (_, _, then), now in zip(frozen, grades, strict=True) if now is not None)

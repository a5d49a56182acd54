"""Grade the answers of a run with a judge, within its daily budget; grades are cached."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.errors import JudgeError
from monitor.model.answers import Answer, Grades
from monitor.model.runs import Outcome
from monitor.model.suites import Query, Suite
from monitor.ports.store import Store
from monitor.ports.targets import Judge

A_DAY = timedelta(days=1)
ANCHORS = 50
"""Number of baseline answers that are graded again in each run."""


@dataclass(slots=True)
class Grader:
    """A judge with its grade cache and remaining daily budget."""

    judge: Judge
    store: Store
    now: Callable[[], datetime]
    _left: int = 0

    async def grade(self, queries: Sequence[Query], outcomes: Sequence[Outcome]) -> dict[str, Grades]:
        """Grades by query, for every answer with a reference that could be graded.

        An identical answer keeps its earlier grades. Beyond the budget, and where the judge returns nothing usable,
        an answer has no grade; it is never a zero.
        """
        references = {query.query_id: query for query in queries if query.answers}
        answers = {each.query_id: each.reply.answer for each in outcomes if each.reply and each.reply.answer}
        pending = [(references[query_id], answer) for query_id, answer in answers.items() if query_id in references]
        keys = {query.query_id: key_of(query, answer.text) for query, answer in pending}
        cache = await self.store.known_grades(self.judge.fingerprint, list(keys.values()))
        self._left = self.judge.budget - await self._spent()
        turns = asyncio.Semaphore(self.judge.concurrency)

        async def grade_one(query: Query, answer: Answer) -> tuple[str, Grades | None]:
            before = cache.get(keys[query.query_id])
            if before is not None:
                return query.query_id, before
            async with turns:
                return query.query_id, await self._request_grades(query, answer, keys[query.query_id])

        results = await asyncio.gather(*(grade_one(query, answer) for query, answer in pending))
        return {query_id: grades for query_id, grades in results if grades is not None}

    async def regrade(self, queries: Sequence[Query], answers: Sequence[Answer]) -> list[float | None]:
        """Grade answers again, without the cache: a difference from the earlier grades is a change of the judge."""
        self._left = self.judge.budget - await self._spent()
        turns = asyncio.Semaphore(self.judge.concurrency)

        async def grade_one(query: Query, answer: Answer) -> float | None:
            key = f"{key_of(query, answer.text)}/{self.now().isoformat()}"
            async with turns:
                grades = await self._request_grades(query, answer, key)
                return grades.mean if grades else None

        return await asyncio.gather(*map(grade_one, queries, answers))

    async def _spent(self) -> int:
        return await self.store.count_judge_requests(self.judge.fingerprint, self.now() - A_DAY)

    async def _request_grades(self, query: Query, answer: Answer, key: str) -> Grades | None:
        scores: list[float] = []
        if self._left < self.judge.repeats:
            return None
        self._left -= self.judge.repeats
        for _ in range(self.judge.repeats):
            with suppress(JudgeError):
                scores.append(await self.judge.grade(query.text, query.answers, answer.text))
        grades = Grades(self.judge.fingerprint, tuple(scores))
        is_whole = len(scores) == self.judge.repeats  # a mean over fewer would be noisier than the others
        # Failed requests count for the budget; their own key keeps them from being used as a grade.
        stored_key = key if is_whole else f"{key}/failed/{self.now().isoformat()}"
        await self.store.keep_grade(stored_key, grades, self.judge.repeats, self.now())
        return grades if is_whole else None


def key_of(query: Query, answer: str) -> str:
    """Cache key of a grade: SHA-256 over question, references and answer."""
    return hashlib.sha256("\x1f".join((query.text, *query.answers, answer)).encode()).hexdigest()


def attach_grades(outcomes: Sequence[Outcome], grades: dict[str, Grades]) -> tuple[Outcome, ...]:
    """The outcomes with their grades."""
    return tuple(
        replace(each, reply=replace(each.reply, grades=grades[each.query_id]))
        if each.reply and each.query_id in grades
        else each
        for each in outcomes
    )


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

"""A judge's grades of the answers of a run: each is paid once, within the day's budget, and kept."""

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
"""Answers of the baseline that are graded again in each run."""


@dataclass(slots=True)
class Grader:
    """A judge, what it said before, and what it may still cost today."""

    judge: Judge
    store: Store
    now: Callable[[], datetime]
    _left: int = 0

    async def grade(self, queries: Sequence[Query], outcomes: Sequence[Outcome]) -> dict[str, Grades]:
        """Grades by query, for every answer with a reference that could be graded.

        An answer that was graded before, word for word, keeps its grades. Beyond the budget, and where the judge
        gives nothing usable, an answer goes ungraded; it is never a zero.
        """
        references = {query.query_id: query for query in queries if query.answers}
        answers = {each.query_id: each.reply.answer for each in outcomes if each.reply and each.reply.answer}
        wanted = [(references[query_id], answer) for query_id, answer in answers.items() if query_id in references]
        keys = {query.query_id: key_of(query, answer.text) for query, answer in wanted}
        known = await self.store.known_grades(self.judge.fingerprint, list(keys.values()))
        self._left = self.judge.budget - await self._spent()
        turns = asyncio.Semaphore(self.judge.concurrency)

        async def ask(query: Query, answer: Answer) -> tuple[str, Grades | None]:
            before = known.get(keys[query.query_id])
            if before is not None:
                return query.query_id, before
            async with turns:
                return query.query_id, await self._ask(query, answer, keys[query.query_id])

        graded = await asyncio.gather(*(ask(query, answer) for query, answer in wanted))
        return {query_id: grades for query_id, grades in graded if grades is not None}

    async def again(self, queries: Sequence[Query], answers: Sequence[Answer]) -> list[float | None]:
        """Grades given anew to answers that were graded before: what moved since then is the judge, not the answer."""
        self._left = self.judge.budget - await self._spent()
        turns = asyncio.Semaphore(self.judge.concurrency)

        async def ask(query: Query, answer: Answer) -> float | None:
            async with turns:
                grades = await self._ask(query, answer, f"{key_of(query, answer.text)}/{self.now().isoformat()}")
                return grades.mean if grades else None

        return await asyncio.gather(*map(ask, queries, answers))

    async def _spent(self) -> int:
        return await self.store.count_judge_requests(self.judge.fingerprint, self.now() - A_DAY)

    async def _ask(self, query: Query, answer: Answer, key: str) -> Grades | None:
        scores: list[float] = []
        if self._left < self.judge.repeats:
            return None
        self._left -= self.judge.repeats
        for _ in range(self.judge.repeats):
            with suppress(JudgeError):
                scores.append(await self.judge.grade(query.text, query.answers, answer.text))
        grades = Grades(self.judge.fingerprint, tuple(scores))
        is_whole = len(scores) == self.judge.repeats  # a mean over fewer would be noisier than its neighbours
        # What failed has cost its requests all the same; under a key of its own it is never taken for a grade.
        kept_as = key if is_whole else f"{key}/failed/{self.now().isoformat()}"
        await self.store.keep_grade(kept_as, grades, self.judge.repeats, self.now())
        return grades if is_whole else None


def key_of(query: Query, answer: str) -> str:
    """What is graded: question, references and answer."""
    return hashlib.sha256("\x1f".join((query.text, *query.answers, answer)).encode()).hexdigest()


def graded(outcomes: Sequence[Outcome], grades: dict[str, Grades]) -> tuple[Outcome, ...]:
    """The outcomes with their grades."""
    return tuple(
        replace(each, reply=replace(each.reply, grades=grades[each.query_id]))
        if each.reply and each.query_id in grades
        else each
        for each in outcomes
    )


async def regrade_anchors(grader: Grader, target: str, suite: Suite, store: Store) -> tuple[tuple[float, float], ...]:
    """Grades of a part of the baseline's answers, as given then and again now: what moved is the judge."""
    baseline = await store.baseline(target, suite.name)
    if baseline is None:
        return ()
    run = await store.load_run(baseline.run_id)
    queries = {query.query_id: query for query in suite.queries if query.answers}
    if run.judge != grader.judge.fingerprint or run.suite_digest != suite.digest:
        return ()
    known = [
        (queries[each.query_id], each.reply.answer, each.reply.grades.mean)
        for each in run.outcomes
        if each.query_id in queries and each.reply and each.reply.answer and each.reply.grades
    ]
    frozen = known[:: max(1, -(-len(known) // ANCHORS))]
    again = await grader.again([query for query, _, _ in frozen], [answer for _, answer, _ in frozen])
    return tuple((then, now) for (_, _, then), now in zip(frozen, again, strict=True) if now is not None)

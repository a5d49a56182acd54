"""Answers and their grades in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import schema
from monitor.adapters.stores.postgres.answer_rows import ANSWER_COLUMNS, ANSWER_TYPES, reply_from_row, reply_to_row
from monitor.adapters.stores.postgres.connection import Database, copy, encode_json
from monitor.model.answers import Grades, Reply
from monitor.model.runs import Outcome


class AnswerTables(Database):
    """Statements for answers and grades."""

    async def save_grades(self, run_id: str, grades: Mapping[str, Grades]) -> None:
        """Store the grades of the answers of a run, by query."""
        if not grades:
            return
        table = schema.answer
        statement = (
            update(table)
            .where(table.c.run_id == bindparam("of_run"), table.c.query_id == bindparam("of_query"))
            .values(scores=bindparam("new_scores"))
        )
        values = [
            {"of_run": run_id, "of_query": query_id, "new_scores": grade.scores}
            for query_id, grade in grades.items()
        ]  # fmt: skip
        async with self._transaction() as connection:
            await connection.execute(statement, values)

    async def known_grades(self, judge: str, keys: Sequence[str]) -> dict[str, Grades]:
        """Stored grades of this judge, by the key of the graded answer."""
        table = schema.grade
        stored = await self._all(select(table).where(table.c.judge == judge, table.c.key.in_(keys)))
        return {row["key"]: Grades(judge, tuple(map(float, row["scores"]))) for row in stored}

    async def keep_grade(self, key: str, grades: Grades, requests: int, at: datetime) -> None:
        """Store a grade under its key, with the number of requests; each answer is graded only once."""
        row = {"judge": grades.judge, "key": key, "scores": list(grades.scores), "requests": requests, "graded_at": at}
        statement = upsert(schema.grade).values(row)
        await self._execute(statement.on_conflict_do_update(index_elements=["judge", "key"], set_=row))

    async def count_judge_requests(self, judge: str, since: datetime) -> int:
        """Number of requests to a judge since then."""
        table = schema.grade
        total = select(func.coalesce(func.sum(table.c.requests), 0).label("requests"))
        row = await self._first(total.where(table.c.judge == judge, table.c.graded_at >= since))
        return int(row["requests"]) if row else 0

    async def _load_replies(self, run_id: str, judge: str) -> dict[str, Reply]:
        stored = await self._all(select(schema.answer).where(schema.answer.c.run_id == run_id))
        return {row["query_id"]: reply_from_row(row, judge) for row in stored}


async def copy_replies(connection: AsyncConnection, run_id: str, outcomes: Sequence[Outcome]) -> None:
    """Write the replies of these outcomes."""
    replies = [_encoded(reply_to_row(run_id, outcome.query_id, outcome.reply)) for outcome in outcomes if outcome.reply]
    if replies:
        await copy(connection, "answer", ANSWER_COLUMNS, ANSWER_TYPES, replies)


def _encoded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        encode_json(value) if kind == "bytea" and value is not None else value
        for kind, value in zip(ANSWER_TYPES, row, strict=True)
    )

"""Grades of answers in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from monitor.adapters.stores.postgres import content_schema, schema
from monitor.adapters.stores.postgres.connection import Database
from monitor.errors import StoreError
from monitor.model.answers import Grades


class AnswerTables(Database):
    """Statements for grades."""

    async def save_grades(self, run_id: str, grades: Mapping[str, Grades]) -> None:
        """Store the grades of the answers of a run, by query."""
        if not grades:
            return
        run, query, table = schema.run, schema.suite_query, content_schema.answer_grade
        of_run = (
            select(run.c.run_key, query.c.query_id, query.c.ordinal)
            .join(query, query.c.digest == run.c.suite_digest)
            .where(run.c.run_id == run_id, query.c.query_id.in_(grades))
        )
        async with self._transaction() as connection:
            stored = (await connection.execute(of_run)).all()
            if len(stored) != len(grades):
                raise StoreError(f"run {run_id} has no query for some of these grades")
            scores = {str(row.ordinal): grades[row.query_id].scores for row in stored}
            added = upsert(table).values(run_key=stored[0].run_key, grades=scores)
            merged = table.c.grades.concat(added.excluded.grades)
            await connection.execute(added.on_conflict_do_update(index_elements=["run_key"], set_={"grades": merged}))

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

"""Conversion of answers to database rows and back."""

from __future__ import annotations

from typing import Any

from monitor.adapters.stores.postgres.rows import Row
from monitor.errors import Reason
from monitor.model.answers import Answer, Grades, Reply

ANSWER_COLUMNS = (
    "run_id", "query_id", "text", "doc_ids", "citations", "model", "deployment", "tokens", "reason", "detail",
    "duration_s", "scores",
)  # fmt: skip
# Binary COPY takes JSON as encoded bytes.
ANSWER_TYPES = (
    "text", "text", "text", "bytea", "bytea", "text", "text", "bytea", "text", "text", "float8", "bytea",
)  # fmt: skip


def reply_to_row(run_id: str, query_id: str, reply: Reply) -> tuple[Any, ...]:
    """Values in the order of ``ANSWER_COLUMNS``; lists and mappings as they are."""
    answer = reply.answer
    return (
        run_id,
        query_id,
        # PostgreSQL stores no NUL, but a model may generate one.
        answer.text.replace("\x00", "\N{REPLACEMENT CHARACTER}") if answer else None,
        answer.doc_ids if answer else None,
        answer.citations if answer else None,
        answer.model if answer else None,
        answer.deployment if answer else None,
        dict(answer.tokens) if answer else None,
        str(reply.reason) if reply.reason else None,
        reply.detail or None,
        reply.duration_s,
        reply.grades.scores if reply.grades else None,
    )


def reply_from_row(row: Row, judge: str) -> Reply:
    """The reply, as it was saved; ``judge`` graded the run's answers."""
    answer = None
    if row["text"] is not None:
        answer = Answer(
            text=row["text"],
            doc_ids=_tuple(row["doc_ids"]),
            citations=_tuple(row["citations"]),
            model=row["model"],
            deployment=row["deployment"],
            tokens=row["tokens"] or {},
        )
    grades = Grades(judge, tuple(map(float, row["scores"]))) if row["scores"] else None
    reason = Reason(row["reason"]) if row["reason"] else None
    return Reply(answer=answer, reason=reason, detail=row["detail"] or "", duration_s=row["duration_s"], grades=grades)


def _tuple(stored: list[str] | None) -> tuple[str, ...] | None:
    return None if stored is None else tuple(stored)

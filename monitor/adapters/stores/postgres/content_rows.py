"""Conversion of results to contents, each with its hash, and to blocks of references; and back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import orjson

from monitor.adapters.stores.postgres.rows import Row, sources_from_json, sources_to_json
from monitor.errors import Reason
from monitor.model.answers import Answer, Grades, Replies, Reply
from monitor.model.measurements import Floats, Measured, Measurements
from monitor.model.passages import LabelState
from monitor.model.runs import Counts, Failure, Outcome, Ranking, Run
from monitor.model.suites import Suite

Hash = bytes
Content = tuple[str | None, ...]
"""The columns of a content as text, or as the JSON that they are stored as."""

KEPT = date(1970, 1, 1)
"""The month of contents that outlive their month."""
RANKING_COLUMNS = ("doc_ids", "scores", "deployment", "sources")
RANKING_TYPES = ("json", "float8[]", "text", "json")
ANSWER_COLUMNS = ("text", "doc_ids", "citations", "model", "deployment", "tokens")
ANSWER_TYPES = ("text", "json", "json", "text", "text", "json")


def month_of(at: datetime) -> date:
    """The first day of the month of an instant, in UTC; contents of a run lie in the month of its start."""
    return at.astimezone(UTC).date().replace(day=1)


def hash_of(*parts: bytes) -> Hash:
    """128 bits of SHA-256 over the parts."""
    return hashlib.sha256(b"\x1f".join(parts)).digest()[:16]


def ranking_parts(ranking: Ranking) -> tuple[bytes, ...]:
    """The content of a ranking as encoded columns; a text is marked, so that an empty one differs from none."""
    return (
        orjson.dumps(ranking.doc_ids),
        b"" if ranking.scores is None else orjson.dumps(ranking.scores),
        _marked(ranking.deployment),
        b"" if not ranking.sources else orjson.dumps(sources_to_json(ranking.sources)),
    )


def ranking_values(parts: Sequence[bytes]) -> Content:
    """The columns of a ranking in the order of ``RANKING_COLUMNS``; scores as an array literal."""
    doc_ids, scores, deployment, sources = (part.decode() for part in parts)
    return (
        doc_ids,
        "{" + scores[1:-1] + "}" if scores else None,
        deployment[1:] if deployment else None,
        sources or None,
    )


def answer_parts(answer: Answer) -> tuple[bytes, ...]:
    """The content of an answer as encoded columns."""
    # PostgreSQL stores no NUL, but a model may generate one.
    text = answer.text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return (
        _marked(text),
        *(b"" if value is None else orjson.dumps(value) for value in (answer.doc_ids, answer.citations)),
        _marked(answer.model),
        _marked(answer.deployment),
        orjson.dumps(dict(answer.tokens)),
    )


def answer_values(parts: Sequence[bytes]) -> Content:
    """The columns of an answer in the order of ``ANSWER_COLUMNS``."""
    text, doc_ids, citations, model, deployment, tokens = (part.decode() for part in parts)
    return text[1:], doc_ids or None, citations or None, model[1:] or None, deployment[1:] or None, tokens


def _marked(text: str | None) -> bytes:
    return b"" if text is None else b"=" + text.encode()


def ranking_from_row(row: Row) -> Ranking:
    """The ranking, as it was saved."""
    return Ranking(
        doc_ids=tuple(row["doc_ids"]),
        scores=None if row["scores"] is None else tuple(row["scores"]),
        deployment=row["deployment"],
        sources=None if row["sources"] is None else sources_from_json(row["sources"]),
    )


def answer_from_row(row: Row) -> Answer:
    """The answer, as it was saved."""
    return Answer(
        text=row["text"],
        doc_ids=_tuple(row["doc_ids"]),
        citations=_tuple(row["citations"]),
        model=row["model"],
        deployment=row["deployment"],
        tokens=row["tokens"] or {},
    )


def _tuple(stored: list[str] | None) -> tuple[str, ...] | None:
    return None if stored is None else tuple(stored)


def block_to_row(
    outcomes: Sequence[Outcome], ordinals: Sequence[int], ranking_keys: Sequence[int], answer_keys: Sequence[int]
) -> dict[str, Any]:
    """The outcomes of one commit as parallel arrays, in the order of the suite."""
    order = sorted(range(len(outcomes)), key=ordinals.__getitem__)
    has_replies = any(outcome.reply for outcome in outcomes)
    return {
        "first_ordinal": ordinals[order[0]],
        "ordinals": [ordinals[at] for at in order],
        "ranking_keys": [ranking_keys[at] for at in order],
        "durations": [outcomes[at].duration_s for at in order],
        "failures": _failures((ordinals[at], outcomes[at].failure) for at in order),
        "answer_keys": [answer_keys[at] for at in order] if has_replies else None,
        "answer_durations": [_reply_duration(outcomes[at].reply) for at in order] if has_replies else None,
        "answer_failures": _failures((ordinals[at], outcomes[at].reply) for at in order),
    }


def _failures(results: Iterable[tuple[int, Failure | Reply | None]]) -> str | None:
    reasons = {
        str(ordinal): (str(each.reason), each.detail.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
        for ordinal, each in results
        if each and each.reason
    }
    return orjson.dumps(reasons).decode() if reasons else None


def _reply_duration(reply: Reply | None) -> float:
    return float("nan") if reply is None else reply.duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The contents that the references of a run lead to."""

    query_ids: Sequence[str]
    """The queries of the suite, in their order."""
    rankings: Mapping[int, Ranking]
    answers: Mapping[int, Answer]
    grades: Mapping[str, Sequence[float]]
    """By the ordinal of the query."""
    judge: str


DROPPED = Ranking(doc_ids=())
"""In the place of a ranking that retention has dropped; `Run.dropped_at` is set, so it is not measured."""
DROPPED_ANSWER = Answer(text="")


def outcomes_from_rows(blocks: Iterable[Row], contents: Contents) -> tuple[Outcome, ...]:
    """The outcomes of a run in the order of its suite, as they were saved."""
    outcomes = {ordinal: outcome for block in blocks for ordinal, outcome in _block_outcomes(block, contents)}
    return tuple(outcomes[ordinal] for ordinal in sorted(outcomes))


def _block_outcomes(block: Row, contents: Contents) -> Iterable[tuple[int, Outcome]]:
    ordinals, failures = block["ordinals"], block["failures"] or {}
    answered = block["answer_keys"] is not None
    for at, ordinal in enumerate(ordinals):
        key = block["ranking_keys"][at]
        failed = failures.get(str(ordinal))
        yield (
            ordinal,
            Outcome(
                query_id=contents.query_ids[ordinal],
                ranking=contents.rankings.get(key, DROPPED) if key else None,
                failure=Failure(Reason(failed[0]), failed[1]) if failed else None,
                duration_s=block["durations"][at],
                reply=_reply(block, at, ordinal, contents) if answered else None,
            ),
        )


def _reply(block: Row, at: int, ordinal: int, contents: Contents) -> Reply | None:
    duration_s, key = block["answer_durations"][at], block["answer_keys"][at]
    if duration_s != duration_s:
        return None
    failed = (block["answer_failures"] or {}).get(str(ordinal))
    scores = contents.grades.get(str(ordinal))
    return Reply(
        answer=contents.answers.get(key, DROPPED_ANSWER) if key else None,
        reason=Reason(failed[0]) if failed else None,
        detail=failed[1] or "" if failed else "",
        duration_s=duration_s,
        grades=Grades(contents.judge, tuple(map(float, scores))) if scores else None,
    )


def aligned_values(measured: Measured) -> dict[str, Floats]:
    """The values of each measure in the order of the suite's queries; NaN for a query without a value."""
    ordinals = {query.query_id: ordinal for ordinal, query in enumerate(measured.suite.queries)}
    arrays = {}
    for name, measurements in measured.measurements.items():
        values = arrays[name] = np.full(len(ordinals), np.nan)
        values[[ordinals[query_id] for query_id in measurements.query_ids]] = measurements.values
    return arrays


def summary_of(measured: Measured) -> dict[str, Any]:
    """Counts and labels that follow from the outcomes of a run, so that a verdict needs no ranking."""
    share = measured.judged_share
    return {
        "counts": asdict(measured.counts),
        "judged_share": share if share == share else None,
        "labels": dict(measured.labels),
        "replies": asdict(measured.replies) if measured.replies else None,
    }


def measured_from_rows(
    run: Run, suite: Suite, values: Mapping[str, Sequence[float]], summary: Mapping[str, Any]
) -> Measured:
    """The run with its stored measurements, in which NaN is a query without a value."""
    query_ids = tuple(query.query_id for query in suite.queries)
    share, replies = summary["judged_share"], summary["replies"]
    return Measured(
        run=run,
        suite=suite,
        counts=Counts(**_with_reasons(summary["counts"])),
        measurements={name: _measurements(name, query_ids, numbers) for name, numbers in values.items()},
        judged_share=float("nan") if share is None else share,
        labels={LabelState(state): count for state, count in summary["labels"].items()},
        replies=Replies(**_with_reasons(replies)) if replies else None,
    )


def _measurements(name: str, query_ids: Sequence[str], numbers: Sequence[float]) -> Measurements:
    values = np.array(numbers, np.float64)
    is_scored = ~np.isnan(values)
    return Measurements(name, tuple(query_ids[at] for at in np.flatnonzero(is_scored).tolist()), values[is_scored])


def _with_reasons(counts: Mapping[str, Any]) -> dict[str, Any]:
    return {**counts, "reasons": {Reason(reason): count for reason, count in counts["reasons"].items()}}

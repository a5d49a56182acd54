"""From the replies of a run to measurements: every answer is scored, failed or without reference, and counted."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from monitor.evaluation.answers.abstention import is_abstention, is_empty
from monitor.evaluation.answers.scorers import SCORERS, citation_precision, citation_recall, context_recall
from monitor.model.answers import Answer, Replies, Reply
from monitor.model.measurements import Measurements
from monitor.model.runs import Outcome
from monitor.model.suites import Query, Suite

JUDGED = "answer_judged"
"""The mean of a judge's grades."""

Sourced = Callable[[tuple[str, ...], Mapping[str, int]], float]

_OF_SOURCES: dict[str, tuple[str, Sourced]] = {
    "context_recall": ("doc_ids", context_recall),
    "citation_precision": ("citations", citation_precision),
    "citation_recall": ("citations", citation_recall),
}
"""Measure to the part of the answer that names documents, and what scores it against the judgements."""

ANSWER_MEASURES = (*SCORERS, JUDGED, *_OF_SOURCES)
"""Every measure of answers."""


def measure_answers(
    suite: Suite, outcomes: Mapping[str, Outcome], *, is_graded: bool = False
) -> tuple[dict[str, Measurements], Replies | None]:
    """Measurements of the answers to the queries with a reference, and where each answer went.

    A reply that failed is counted with its reason and never scored; a scorer that does not apply to a query (no
    number in its reference, say) leaves that query out of its own measure alone. None if no answer was asked for.
    """
    replies = [(query, reply) for query in suite.queries if (reply := outcomes[query.query_id].reply) is not None]
    if not replies:
        return {}, None
    asked = [(query, reply) for query, reply in replies if query.answers]
    answered = [(query, reply.answer) for query, reply in asked if reply.answer]
    measured = {name: _gather(name, values) for name, values in _scored(answered, asked)}
    counts = _count(asked, unreferenced=len(suite.queries) - len(asked), is_graded=is_graded)
    return {name: each for name, each in measured.items() if len(each.values)}, counts


def answers_fingerprint(outcomes: Iterable[Outcome]) -> str:
    """SHA-256 over every answer in query order; empty where none was asked for."""
    replies = [(each.query_id, each.reply) for each in outcomes if each.reply]
    if not replies:
        return ""
    said = (
        f"{query_id}\x1f{reply.answer.text if reply.answer else ''}\n"
        for query_id, reply in sorted(replies, key=_first)
    )
    return hashlib.sha256("".join(said).encode()).hexdigest()


def share_of_answers_changed(before: Iterable[Outcome], after: Iterable[Outcome]) -> float:
    """Share of the queries answered in both runs whose answer differs, in [0, 1]."""
    earlier, later = _texts(before), _texts(after)
    shared = earlier.keys() & later.keys()
    return sum(earlier[query_id] != later[query_id] for query_id in shared) / len(shared) if shared else 0.0


def _scored(
    answered: list[tuple[Query, Answer]], asked: list[tuple[Query, Reply]]
) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    for name, score in SCORERS.items():
        yield name, [(query.query_id, score(answer.text, query.answers)) for query, answer in answered]
    yield JUDGED, [(query.query_id, reply.grades.mean) for query, reply in asked if reply.grades]
    for name, (part, score_sources) in _OF_SOURCES.items():
        named = [(query, _judged_documents(query), getattr(answer, part)) for query, answer in answered]
        yield (
            name,
            [
                (query.query_id, score_sources(doc_ids, grades))
                for query, grades, doc_ids in named
                if grades and doc_ids is not None
            ],
        )


def _judged_documents(query: Query) -> dict[str, int]:
    """Grades by document: those of its best passage, where passages are judged and say whose they are."""
    grades = dict(query.grades)
    for passage in query.passages:
        if passage.doc_id:
            grades[passage.doc_id] = max(passage.grade, grades.get(passage.doc_id, 0))
    return grades


def _gather(name: str, values: Iterable[tuple[str, float]]) -> Measurements:
    applied = [(query_id, value) for query_id, value in values if not math.isnan(value)]
    return Measurements(
        name, tuple(query_id for query_id, _ in applied), np.array([value for _, value in applied], np.float64)
    )


def _count(asked: list[tuple[Query, Reply]], *, unreferenced: int, is_graded: bool) -> Replies:
    answers = [reply.answer.text for _, reply in asked if reply.answer]
    reasons = Counter(reply.reason for _, reply in asked if reply.reason)
    graded = sum(reply.grades is not None for _, reply in asked)
    return Replies(
        scored=len(answers),
        failed=reasons.total(),
        unreferenced=unreferenced,
        abstained=sum(map(is_abstention, answers)),
        empty=sum(map(is_empty, answers)),
        ungraded=len(answers) - graded if is_graded else 0,
        reasons=dict(reasons),
    )


def _texts(outcomes: Iterable[Outcome]) -> dict[str, str]:
    return {each.query_id: each.reply.answer.text for each in outcomes if each.reply and each.reply.answer}


def _first(pair: tuple[str, Reply]) -> str:
    return pair[0]

"""Measurements of the answers of a run. Every answer is counted as scored, failed or without reference."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from monitor.evaluation import measures
from monitor.evaluation.answers.abstention import is_abstention, is_empty
from monitor.evaluation.answers.citations import inline_citations
from monitor.evaluation.answers.scorers import Scorer, zero_unless_answered
from monitor.model.answers import Answer, Replies, Reply
from monitor.model.measurements import Measurements
from monitor.model.measures import MEASURES, Needs
from monitor.model.runs import Outcome
from monitor.model.suites import Query, Suite

Named = tuple[str, ...] | None
"""The ids of documents that an answer names; None if it names none."""
SCORERS: dict[str, Scorer] = {
    name: zero_unless_answered(measures.function(MEASURES[name])) for name in measures.names(Needs.ANSWERS)
}
"""Name of a measure of answer texts to its scorer, which gives 0 to a text that does not answer."""

CITING = 0.1
"""If at least this share of the answers cites in the text, an answer without a citation has a recall of 0."""


def measure_answers(
    suite: Suite, outcomes: Mapping[str, Outcome], *, is_graded: bool = False
) -> tuple[dict[str, Measurements], Replies | None]:
    """Measurements of the answers to the queries with a reference, by measure, and the counts of the answers.

    A reply that failed is counted with its reason and never scored. A scorer that does not apply to a query (its
    reference has no number, for example) leaves that query out of its own measure only. The counts are None if no
    answers were requested.
    """
    replies = [(query, reply) for query in suite.queries if (reply := outcomes[query.query_id].reply) is not None]
    if not replies:
        return {}, None
    referenced = [(query, reply) for query, reply in replies if query.answers]
    answered = [(query, reply.answer) for query, reply in referenced if reply.answer]
    measured = {name: _gather(name, values) for name, values in _scored(answered, referenced)}
    counts = _count(referenced, unreferenced=len(suite.queries) - len(referenced), is_graded=is_graded)
    return {name: each for name, each in measured.items() if len(each.values)}, counts


def score_text(score: Scorer, text: str, query: Query) -> float:
    """Score of an answer: the better of the whole reference and the mean over its parts; NaN if neither applies.

    A complete answer has all parts in any words between them; an answer with one of two parts gets half.

    Examples
    --------
    >>> from monitor.evaluation.answers.scorers import containment
    >>> parts = (("60 cabin", "60 in the cabin"), ("140 hold", "140 in the hold"))
    >>> query = Query(query_id="q", text="Fees?", stratum="s", cluster="c", answers=("60 cabin; 140 hold",),
    ...               answer_parts=parts)
    >>> [score_text(containment, text, query) for text in ("60 in the cabin, 140 in the hold", "60 cabin")]
    [1.0, 0.5]
    """
    whole = score(text, query.answers)
    parts = [value for part in query.answer_parts if not math.isnan(value := score(text, part))]
    if not parts:
        return whole
    mean = math.fsum(parts) / len(parts)
    return mean if math.isnan(whole) else max(whole, mean)


def answers_fingerprint(outcomes: Iterable[Outcome]) -> str:
    """SHA-256 over every answer in query order; empty if no answers were requested."""
    replies = [(each.query_id, each.reply) for each in outcomes if each.reply]
    if not replies:
        return ""
    texts = (
        f"{query_id}\x1f{reply.answer.text if reply.answer else ''}\n"
        for query_id, reply in sorted(replies, key=_first)
    )
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def share_of_answers_changed(before: Iterable[Outcome], after: Iterable[Outcome]) -> float:
    """Share of the queries answered in both runs whose answer differs, in [0, 1]."""
    earlier, later = _texts(before), _texts(after)
    shared = earlier.keys() & later.keys()
    return sum(earlier[query_id] != later[query_id] for query_id in shared) / len(shared) if shared else 0.0


def _scored(
    answered: list[tuple[Query, Answer]], replies: list[tuple[Query, Reply]]
) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    for name, score in SCORERS.items():
        yield name, [(query.query_id, score_text(score, answer.text, query)) for query, answer in answered]
    for name in measures.names(Needs.JUDGE):
        score_grades = measures.function(MEASURES[name])
        yield name, [(query.query_id, score_grades(reply.grades)) for query, reply in replies if reply.grades]
    judged = [(query, answer, grades) for query, answer in answered if (grades := _judged_documents(query))]
    sources = {
        Needs.CONTEXTS: [(query, answer.doc_ids, grades) for query, answer, grades in judged],
        Needs.CITATIONS: list(_cited(judged)),
    }
    for name in measures.names(*sources):
        score_sources, rows = measures.function(MEASURES[name]), sources[MEASURES[name].needs]
        yield (
            name,
            [
                (query.query_id, score_sources(doc_ids, grades))
                for query, doc_ids, grades in rows
                if doc_ids is not None
            ],
        )


def _cited(judged: list[tuple[Query, Answer, dict[str, int]]]) -> Iterator[tuple[Query, Named, dict[str, int]]]:
    """The citations that the answerer reports, or else those in the text; None where there are none to read."""
    inline = [
        inline_citations(answer.text, answer.doc_ids or (), grades) if answer.citations is None else ()
        for _, answer, grades in judged
    ]
    n_citing = sum(map(bool, inline))
    cites_in_text = n_citing > 0 and n_citing >= CITING * len(judged)
    for (query, answer, grades), doc_ids in zip(judged, inline, strict=True):
        yield query, doc_ids if answer.citations is None and cites_in_text else answer.citations, grades


def _judged_documents(query: Query) -> dict[str, int]:
    """Grades by document; a document has the grade of its best judged passage, where passages name their document."""
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


def _count(replies: list[tuple[Query, Reply]], *, unreferenced: int, is_graded: bool) -> Replies:
    answers = [(reply.answer.text, query.answers) for query, reply in replies if reply.answer]
    reasons = Counter(reply.reason for _, reply in replies if reply.reason)
    graded = sum(reply.grades is not None for _, reply in replies)
    return Replies(
        scored=len(answers),
        failed=reasons.total(),
        unreferenced=unreferenced,
        abstained=sum(is_abstention(text, references) for text, references in answers),
        empty=sum(is_empty(text) for text, _ in answers),
        ungraded=len(answers) - graded if is_graded else 0,
        ungraded_reasons=dict(Counter(reply.ungraded for _, reply in replies if reply.ungraded)),
        reasons=dict(reasons),
    )


def _texts(outcomes: Iterable[Outcome]) -> dict[str, str]:
    return {each.query_id: each.reply.answer.text for each in outcomes if each.reply and each.reply.answer}


def _first(pair: tuple[str, Reply]) -> str:
    return pair[0]

"""Read `passages.jsonl`: judgements by place, by quote, or by both. They stay valid when documents are re-chunked.

{"query_id": "q1", "doc_id": "d1", "start": 120, "end": 180, "grade": 1}
{"query_id": "q1", "quote": "no refunds after thirty days"}
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from monitor.errors import SuiteError
from monitor.evaluation.passages.quotes import normalise
from monitor.model.passages import Passage
from monitor.suites.lines import read_lines, text_of

_KEYS = ("query_id", "doc_id", "start", "end", "quote", "grade")
_HIGHEST_GRADE = 999_999

Text = tuple[str, str]
"""Id and text of a document."""


def read_passages(path: Path, queries: Collection[str], corpus: Iterable[Text] | None) -> dict[str, list[Passage]]:
    """The judged passages of each query. Places are checked against ``corpus``, if the suite has one."""
    places: dict[tuple[str, Passage], str] = {}
    by_query: dict[str, list[Passage]] = {}
    for where, row in read_lines(path):
        query_id = text_of(row.get("query_id"), "query_id", where)
        if query_id not in queries:
            raise SuiteError(where, f"unknown query {query_id}: it is not in queries.jsonl")
        passage = _passage(row, where)
        key = query_id, passage._replace(grade=0)
        if key in places:
            raise SuiteError(where, f"{passage.name} is judged twice for query {query_id}")
        places[key] = where
        by_query.setdefault(query_id, []).append(passage)
    if corpus is not None:
        _check_places([(where, passage) for (_, passage), where in places.items()], corpus)
    return by_query


def _passage(row: Mapping[str, Any], where: str) -> Passage:
    for key in row:
        if key not in _KEYS:
            raise SuiteError(where, f"unknown key {key}; known keys: {', '.join(_KEYS)}")
    doc_id, quote = (None if row.get(key) is None else text_of(row[key], key, where) for key in ("doc_id", "quote"))
    start, end = (_whole(row[key], key, where) if row.get(key) is not None else None for key in ("start", "end"))
    grade = _whole(row.get("grade", 1), "grade", where)
    if grade > _HIGHEST_GRADE:
        raise SuiteError(where, f"grade {grade} must be a whole number from 0 (not relevant) to {_HIGHEST_GRADE}")
    if start is None or end is None:
        if start is not None or end is not None:
            raise SuiteError(where, "start and end must be given together")
        if quote is None:
            raise SuiteError(where, "doc_id with start and end, or a quote, is required")
    elif doc_id is None:
        raise SuiteError(where, "doc_id is missing: start and end are offsets in a document")
    elif end <= start:
        raise SuiteError(where, f"the passage is empty: it ends at {end} and starts at {start}")
    if quote is not None and not normalise(quote):
        raise SuiteError(where, f"quote {quote!r} has no letter and no digit")
    return Passage(grade, doc_id, start, end, quote)


def _whole(value: Any, name: str, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SuiteError(where, f"{name} must be a whole number, 0 or more, not {value!r:.40}")
    return value


def _check_places(passages: list[tuple[str, Passage]], corpus: Iterable[Text]) -> None:
    """Check that every place exists and that no quote occurs twice, in one pass over the documents."""
    by_document: dict[str, list[tuple[str, Passage]]] = {}
    by_word: dict[str, list[tuple[str, Passage]]] = {}
    for where, passage in passages:
        if passage.doc_id is not None:
            by_document.setdefault(passage.doc_id, []).append((where, passage))
        if passage.quote is not None and passage.start is None:
            # The longest word is usually the rarest, so that few quotes are searched for in each document.
            by_word.setdefault(max(normalise(passage.quote).split(), key=len), []).append((where, passage))
    first_documents: dict[str, str] = {}
    for doc_id, text in corpus:
        for where, passage in by_document.pop(doc_id, ()):
            if passage.end is not None and passage.end > len(text):
                problem = (
                    f"the passage ends at {passage.end}, past the end of document {doc_id} ({len(text)} characters)"
                )
                raise SuiteError(where, problem)
        if by_word:
            _refuse_second_places(doc_id, normalise(text), by_word, first_documents)
    for doc_id, unknown in by_document.items():
        raise SuiteError(unknown[0][0], f"unknown document {doc_id}: it is not in corpus.jsonl")


def _refuse_second_places(
    doc_id: str, text: str, by_word: Mapping[str, list[tuple[str, Passage]]], first_documents: dict[str, str]
) -> None:
    for word in sorted(by_word.keys() & set(text.split())):
        for where, passage in by_word[word]:
            if passage.doc_id not in (None, doc_id):
                continue
            count = text.count(normalise(passage.quote or ""))
            if count > 1 or (count and where in first_documents):
                second = (
                    f"twice in document {doc_id}"
                    if count > 1
                    else f"in documents {first_documents[where]} and {doc_id}"
                )
                raise SuiteError(where, f"the quote occurs {second}: make it longer, or add start and end")
            if count:
                first_documents[where] = doc_id

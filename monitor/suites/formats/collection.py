"""A test collection in memory, which every format is read into and written from.

`CollectionBuilder` builds one and validates each part as it is added; its errors name the place in the source.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.suites.lines import text_of

HIGHEST_GRADE = 999_999
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


class Span(NamedTuple):
    """A part of a document in characters; ``end`` is exclusive."""

    doc_id: str
    start: int
    end: int


class Answer(NamedTuple):
    """A reference answer, with its span if known."""

    text: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document with further metadata of its format."""

    doc_id: str
    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A query without judgements, with further metadata of its format."""

    query_id: str
    text: str
    stratum: str = ""
    cluster: str = ""
    answers: tuple[Answer, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Topics, judgements and documents in source order."""

    topics: tuple[Topic, ...]
    qrels: tuple[Qrel, ...]
    documents: tuple[Document, ...] | None = None
    """None if the documents stay in production."""
    pairs: tuple[Mapping[str, Any], ...] = ()
    """The rows of pairs.jsonl."""
    passages: tuple[Mapping[str, Any], ...] = ()
    """The rows of passages.jsonl."""
    head: Mapping[str, Any] = field(default_factory=dict)
    """The keys of suite.yaml."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Skipped items of the source: count by reason."""

    def qrels_by_query(self) -> Mapping[str, list[Qrel]]:
        """The judgements of each query in order; an empty list for a query without judgements."""
        by_query: defaultdict[str, list[Qrel]] = defaultdict(list)
        for qrel in self.qrels:
            by_query[qrel.query_id].append(qrel)
        return by_query

    def counts(self) -> dict[str, int]:
        """The numbers of documents, queries and judgements."""
        judgements = len(self.qrels) + len(self.passages)
        return {"documents": len(self.documents or ()), "queries": len(self.topics), "judgements": judgements}


class Sources(NamedTuple):
    """The files that a collection is read from."""

    source: Path
    qrels: Path | None = None
    corpus: Path | None = None
    columns: Mapping[str, str] = {}
    """Columns of a table by their meaning; the format `table` needs them."""
    ignore_unknown: bool = False
    """Whether to leave out judgements of unknown queries and documents, and queries without a judgement."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The path that a collection is written to."""

    path: Path
    index: str = "documents"
    """The index named in Elasticsearch ratings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a format is read, written and recognised."""

    name: str
    read: Callable[[Sources], Collection]
    recognises: Callable[[Path], bool]
    write: Callable[[Collection, Destination], Mapping[str, int]] | None = None
    """Returns the counts of items that the format cannot hold; None for a format that is only read."""
    takes_qrels: bool = False
    takes_corpus: bool = False
    takes_columns: bool = False


class CollectionBuilder:
    """Builds and validates a collection. Errors have the given ``where``; if it is empty, the caller adds the place."""

    def __init__(self, source: Path, *, ignore_unknown: bool = False) -> None:
        self._source = source
        self._ignores_unknown = ignore_unknown
        self._topics: dict[str, Topic] = {}
        self._documents: dict[str, Document] | None = None
        self._grades: dict[tuple[str, str], int] = {}
        self._skipped: Counter[str] = Counter()

    def add_document(self, document: Document, where: str = "") -> None:
        """Add a document."""
        _check_id(document.doc_id, "the document id", where)
        self._documents = {} if self._documents is None else self._documents
        if document.doc_id in self._documents:
            raise SuiteError(where, f"duplicate document id {document.doc_id}")
        text_of(document.text, "text", where, may_be_empty=True)
        self._documents[document.doc_id] = document

    def add_topic(self, topic: Topic, where: str = "") -> None:
        """Add a query. The documents of its answers must be added before."""
        _check_id(topic.query_id, "the query id", where)
        if topic.query_id in self._topics:
            raise SuiteError(where, f"duplicate query id {topic.query_id}")
        text_of(topic.text, "the text of the query", where)
        for answer in topic.answers:
            text_of(answer.text, "an answer", where)
            self._check_span(answer.span, where)
        self._topics[topic.query_id] = topic

    def judge(self, qrel: Qrel, where: str = "", *, may_repeat: bool = False) -> None:
        """Add a judgement. Its query must be added before, and its document if the collection has documents."""
        if qrel.query_id not in self._topics:
            self._refuse_unknown("query", qrel.query_id, where)
            return
        _check_id(qrel.doc_id, "the document id", where)
        if not (self._documents is None or qrel.doc_id in self._documents):
            self._refuse_unknown("document", qrel.doc_id, where)
            return
        grade = self._grades.get((qrel.query_id, qrel.doc_id))
        if may_repeat and grade == qrel.grade:
            self.skip("repeated judgement")
            return
        if grade is not None:
            raise SuiteError(where, f"document {qrel.doc_id} is judged twice for query {qrel.query_id}")
        if qrel.grade > HIGHEST_GRADE:
            raise SuiteError(where, f"grade {qrel.grade} must be a whole number from 0 to {HIGHEST_GRADE}")
        self._grades[qrel.query_id, qrel.doc_id] = qrel.grade

    def _refuse_unknown(self, noun: str, name: str, where: str) -> None:
        """Count a judgement of an unknown query or document, or raise SuiteError."""
        if not self._ignores_unknown:
            problem = f"unknown {noun} {name}"
            raise SuiteError(where, f"{problem}; to leave such judgements out, set --ignore-unknown")
        self.skip(f"judgement of an unknown {noun}")

    def skip(self, reason: str) -> None:
        """Count a skipped item of the source."""
        self._skipped[reason] += 1

    def has_document(self, doc_id: str) -> bool:
        """Whether the document was added."""
        return doc_id in (self._documents or ())

    def has_topic(self, query_id: str) -> bool:
        """Whether the query was added."""
        return query_id in self._topics

    def finish(
        self,
        *,
        head: Mapping[str, Any] | None = None,
        pairs: Iterable[Mapping[str, Any]] = (),
        passages: Iterable[Mapping[str, Any]] = (),
    ) -> Collection:
        """The collection. Raises SuiteError if no query has a relevant document."""
        passages = tuple(passages)
        if not passages and not any(self._grades.values()):
            skipped = "; ".join(f"{count} skipped: {reason}" for reason, count in self._skipped.items())
            raise SuiteError(str(self._source), f"no query has a relevant document{f' ({skipped})' if skipped else ''}")
        if self._ignores_unknown:
            self._leave_out_unjudged(passages)
        return Collection(
            topics=tuple(self._topics.values()),
            qrels=tuple(Qrel(query_id, doc_id, grade) for (query_id, doc_id), grade in self._grades.items()),
            documents=None if self._documents is None else tuple(self._documents.values()),
            pairs=tuple(pairs),
            passages=passages,
            head=head or {},
            skipped=dict(self._skipped),
        )

    def _leave_out_unjudged(self, passages: Iterable[Mapping[str, Any]]) -> None:
        judged = {query_id for (query_id, _), grade in self._grades.items() if grade > 0}
        judged |= {str(passage.get("query_id")) for passage in passages}
        for query_id in [query_id for query_id in self._topics if query_id not in judged]:
            del self._topics[query_id]
            self.skip("query without a relevant document")
        self._grades = {key: grade for key, grade in self._grades.items() if key[0] in self._topics}

    def _check_document(self, doc_id: str, where: str) -> None:
        if self._documents is not None and doc_id not in self._documents:
            raise SuiteError(where, f"unknown document {doc_id}")

    def _check_span(self, span: Span | None, where: str) -> None:
        if span is None:
            return
        self._check_document(span.doc_id, where)
        end = len(self._documents[span.doc_id].text) if self._documents is not None else span.end
        if not 0 <= span.start <= span.end <= end:
            place = f"{span.start} to {span.end}"
            raise SuiteError(where, f"the span {place} is outside document {span.doc_id} of {end} characters")


def hashed_id(prefix: str, text: str) -> str:
    """An id derived from content, for formats without ids. It does not change when other items are added or removed."""
    return f"{prefix}{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def left_out(collection: Collection, *parts: str) -> dict[str, int]:
    """Counts of the given parts of a collection, which a format cannot hold."""
    topics = collection.topics
    counts = {
        "documents": len(collection.documents or ()),
        "titles": sum(bool(document.title) for document in collection.documents or ()),
        "answers": sum(len(topic.answers) for topic in topics),
        "answer spans": sum(answer.span is not None for topic in topics for answer in topic.answers),
        "strata": len({topic.stratum for topic in topics} - {""}),
        "clusters": len({topic.cluster for topic in topics} - {""}),
        "metadata": sum(bool(topic.metadata) for topic in topics),
        "pairs": len(collection.pairs),
        "passages": len(collection.passages),
    }
    return {part: counts[part] for part in parts if counts[part]}


def whole_number(text: str, where: str) -> int:
    """Parse a published grade: negative ones are not relevant, and decimals of zero are left out."""
    if not re.fullmatch(r"[+-]?[0-9]{1,6}(\.0+)?", text):
        raise SuiteError(where, f"grade {text!r} must be a whole number up to {HIGHEST_GRADE}; up to 0 is not relevant")
    return max(int(text.partition(".")[0]), 0)


def _check_id(value: str, name: str, where: str) -> None:
    if _CONTROL_CHARACTER.search(text_of(value, name, where)):
        raise SuiteError(where, f"{name} {value!r} has a tab, a line break or another control character")

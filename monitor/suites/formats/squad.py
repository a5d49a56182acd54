"""SQuAD 1.1 and 2.0: paragraphs are documents, questions are queries, and the paragraph of a question is relevant.

    {"data": [{"title": "Normans", "paragraphs": [{"context": "…", "qas": [
        {"id": "q1", "question": "…", "answers": [{"text": "France", "answer_start": 159}]}]}]}]}

Unanswerable questions (`is_impossible`) have no relevant document: they are skipped and counted. The id of a paragraph
is its `document_id`, as annotation tools write it, or else its title and a number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.suites.formats.collection import (
    Answer,
    Collection,
    CollectionBuilder,
    Destination,
    Document,
    Format,
    Sources,
    Span,
    Topic,
    left_out,
)
from monitor.suites.formats.json_values import Value, opening, read_json
from monitor.suites.formats.placement import write_json


def read(sources: Sources) -> Collection:
    """Read a SQuAD file."""
    builder = CollectionBuilder(sources.source)
    numbers: Counter[str] = Counter()
    for article in read_json(sources.source)["data"].items():
        title = "" if article["title"].is_missing() else article["title"].text(may_be_empty=True)
        for paragraph in article["paragraphs"].items():
            _read_paragraph(paragraph, title, builder, numbers)
    return builder.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write a SQuAD 1.1 file with each question under its most relevant document."""
    if collection.documents is None:
        raise SuiteError(str(destination.path), "SQuAD requires documents, and the suite has no corpus.jsonl")
    judgements = collection.qrels_by_query()
    lost = Counter(left_out(collection, "strata", "clusters", "metadata", "pairs", "passages"))
    questions: defaultdict[str, list[Topic]] = defaultdict(list)
    for topic in collection.topics:
        best = max(judgements[topic.query_id], key=lambda qrel: qrel.grade, default=None)
        is_answerable = best is not None and best.grade > 0
        lost["queries"] += not is_answerable
        lost["judgements"] += len(judgements[topic.query_id]) - is_answerable
        if best is not None and is_answerable:
            lost["grades above 1"] += best.grade > 1
            questions[best.doc_id].append(topic)
    articles = [
        {
            "title": title,
            "paragraphs": [_paragraph(document, questions[document.doc_id], lost) for document in documents],
        }
        for title, documents in groupby(collection.documents, key=lambda document: document.title)
    ]
    write_json(destination.path, {"version": "1.1", "data": articles})
    return +lost


def _read_paragraph(paragraph: Value, title: str, builder: CollectionBuilder, numbers: Counter[str]) -> None:
    document_id = paragraph["document_id"]
    doc_id = _numbered(title, numbers) if document_id.is_missing() else document_id.text()
    document = Document(doc_id, paragraph["context"].text(), title)
    with paragraph.placing():
        builder.add_document(document)
    for question in paragraph["qas"].items():
        if question["is_impossible"].value is True:
            builder.skip("unanswerable")
            continue
        answers = () if question["answers"].is_missing() else question["answers"].items()
        spans = tuple(_answer(answer, document) for answer in answers)
        query_id = question["id"].text()
        with question.placing():
            builder.add_topic(Topic(query_id=query_id, text=question["question"].text(), answers=spans))
            builder.judge(Qrel(query_id, doc_id, 1))


def _numbered(title: str, numbers: Counter[str]) -> str:
    slug = "_".join(title.split()) or "untitled"
    numbers[slug] += 1
    return f"{slug}-{numbers[slug] - 1}"


def _answer(value: Value, document: Document) -> Answer:
    text, start = value["text"].text(), value["answer_start"].whole_number()
    if not document.text.startswith(text, start):
        size = len(document.text)
        problem = f"is {start}, where the paragraph of {size} characters does not have {text[:40]!r}"
        raise value["answer_start"].refusal(problem)
    return Answer(text, Span(document.doc_id, start, start + len(text)))


def _paragraph(document: Document, topics: list[Topic], lost: Counter[str]) -> dict[str, Any]:
    questions = []
    for topic in topics:
        answers = [{"text": text, "answer_start": _start(text, span, document)} for text, span in topic.answers]
        placed = [answer for answer in answers if answer["answer_start"] != -1]
        lost["answers"] += len(answers) - len(placed)
        questions.append({"id": topic.query_id, "question": topic.text, "answers": placed})
    return {"document_id": document.doc_id, "context": document.text, "qas": questions}


def _start(text: str, span: Span | None, document: Document) -> int:
    """The start of the answer: from its span, else its first occurrence; -1 if it does not occur."""
    if span and span.doc_id == document.doc_id and document.text.startswith(text, span.start):
        return span.start
    return document.text.find(text)


def _recognises(path: Path) -> bool:
    start = opening(path)
    return start.startswith("{") and '"data"' in start and '"paragraphs"' in start


FORMAT = Format(name="squad", read=read, write=write, recognises=_recognises)

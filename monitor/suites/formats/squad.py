"""SQuAD 1.1 and 2.0: paragraphs are documents, questions are queries, their paragraph is what is relevant.

    {"data": [{"title": "Normans", "paragraphs": [{"context": "…", "qas": [
        {"id": "q1", "question": "…", "answers": [{"text": "France", "answer_start": 159}]}]}]}]}

Questions that no paragraph answers (`is_impossible`) have nothing to find: they are skipped and counted. A paragraph
may name itself with `document_id`, as annotation tools write it; else it is called by its title and a number.
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
    Destination,
    Document,
    Format,
    Gathering,
    Sources,
    Span,
    Topic,
    left_out,
)
from monitor.suites.formats.json_values import Value, opening, read_json
from monitor.suites.formats.placement import write_json


def read(sources: Sources) -> Collection:
    """The collection in a SQuAD file."""
    gathering = Gathering(sources.source)
    numbers: Counter[str] = Counter()
    for article in read_json(sources.source)["data"].items():
        title = "" if article["title"].is_missing() else article["title"].text(may_be_empty=True)
        for paragraph in article["paragraphs"].items():
            _read_paragraph(paragraph, title, gathering, numbers)
    return gathering.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write a SQuAD 1.1 file: each question under the document that is most relevant to it."""
    if collection.documents is None:
        raise SuiteError(str(destination.path), "SQuAD holds documents, and the suite has no corpus.jsonl")
    judged = collection.qrels_by_query()
    lost = Counter(left_out(collection, "strata", "clusters", "metadata", "pairs", "passages"))
    questions: defaultdict[str, list[Topic]] = defaultdict(list)
    for topic in collection.topics:
        best = max(judged[topic.query_id], key=lambda qrel: qrel.grade, default=None)
        is_answerable = best is not None and best.grade > 0
        lost["queries"] += not is_answerable
        lost["judgements"] += len(judged[topic.query_id]) - is_answerable
        if best is not None and is_answerable:
            lost["grades above 1"] += best.grade > 1
            questions[best.doc_id].append(topic)
    articles = [
        {"title": title, "paragraphs": [_paragraph(each, questions[each.doc_id], lost) for each in documents]}
        for title, documents in groupby(collection.documents, key=lambda document: document.title)
    ]
    write_json(destination.path, {"version": "1.1", "data": articles})
    return +lost


def _read_paragraph(paragraph: Value, title: str, gathering: Gathering, numbers: Counter[str]) -> None:
    named = paragraph["document_id"]
    doc_id = _numbered(title, numbers) if named.is_missing() else named.text()
    document = Document(doc_id, paragraph["context"].text(), title)
    with paragraph.placing():
        gathering.add_document(document)
    for question in paragraph["qas"].items():
        if question["is_impossible"].value is True:
            gathering.skip("unanswerable")
            continue
        answers = () if question["answers"].is_missing() else question["answers"].items()
        spans = tuple(_answer(each, document) for each in answers)
        query_id = question["id"].text()
        with question.placing():
            gathering.add_topic(Topic(query_id, question["question"].text(), answers=spans))
            gathering.judge(Qrel(query_id, doc_id, 1))


def _numbered(title: str, numbers: Counter[str]) -> str:
    slug = "_".join(title.split()) or "untitled"
    numbers[slug] += 1
    return f"{slug}-{numbers[slug] - 1}"


def _answer(value: Value, document: Document) -> Answer:
    text, start = value["text"].text(), value["answer_start"].whole_number()
    if not document.text.startswith(text, start):
        size = len(document.text)
        problem = f"is {start}, where the paragraph of {size} characters does not say {text[:40]!r}"
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
    """Where the answer stands: as it is known, else where it is found first; -1 where it is not."""
    if span and span.doc_id == document.doc_id and document.text.startswith(text, span.start):
        return span.start
    return document.text.find(text)


def _recognises(path: Path) -> bool:
    start = opening(path)
    return start.startswith("{") and '"data"' in start and '"paragraphs"' in start


FORMAT = Format("squad", read, write, _recognises)

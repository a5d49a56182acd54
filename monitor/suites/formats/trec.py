"""TREC topics and qrels: a folder with topics.txt and qrels.txt, or a topics file with its qrels beside it.

    <top>                                                 also on one line, without closing tags, or as XML:
    <num> Number: 301                                     <topic number="1"><query>…</query></topic>
    <title> International Organized Crime
    <desc> Description:
    Identify organizations that …
    <narr> Narrative:
    A relevant document …
    </top>

    301 0 FBIS3-10082 1        query, iteration (not used), document, grade; negative grades are not relevant

Topics may also be lines of `id <tab> text` or `id:text`. The query text is the title, else the query, else the text of
the topic, else its description.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Collection as Collection_
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.suites.formats import corpora, tagged
from monitor.suites.formats.collection import (
    Collection,
    CollectionBuilder,
    Destination,
    Format,
    Sources,
    Topic,
    left_out,
    whole_number,
)
from monitor.suites.formats.placement import write_lines
from monitor.suites.formats.source_files import beginning, published_lines, read_published

TOPICS, QRELS = "topics.txt", "qrels.txt"
_LEADING = {
    "num": re.compile(r"Number\s*:", re.IGNORECASE),
    "title": re.compile(r"Topic\s*:", re.IGNORECASE),
    "desc": re.compile(r"Description\s*:", re.IGNORECASE),
    "narr": re.compile(r"Narrative\s*:", re.IGNORECASE),
}
_LABELS = {"num": "Number:", "desc": "Description:", "narr": "Narrative:"}
_METADATA = {"desc": "description", "narr": "narrative"}
_NAMES = {"number": "num", "identifier": "num", "qid": "num", "description": "desc", "narrative": "narr"}
_FIELDS = (*_LEADING, *_NAMES, "query", "question", "keyword", "subtopic", "summary", "head", "dom", "smry", "con",
           "fac", "def", "date")  # fmt: skip
_TEXTS = ("title", "query", "question", "keyword", "", "desc")
"""Fields that can be the text of the query, the first that is there; the empty name is text outside of all fields."""
_LISTED = re.compile(r"(?P<id>[^\s:]+)(?:\t|:)(?P<text>.*\S)")


def read(sources: Sources) -> Collection:
    """Read topics and qrels."""
    path, qrels = _files(sources)
    builder = CollectionBuilder(path, ignore_unknown=sources.ignore_unknown)
    if sources.corpus:
        corpora.add_corpus(builder, sources.corpus)
    topics = list(_tagged_topics(path) if beginning(path).startswith("<") else _listed_topics(path))
    judgements = list(_qrels(qrels))
    judged = {qrel.query_id for _, qrel in judgements}
    for where, topic in topics:
        builder.add_topic(_with_id_of(judged, topic), where)
    for where, qrel in judgements:
        builder.judge(qrel, where, may_repeat=True)
    return builder.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write a folder with topics and qrels. Raises SuiteError for ids that the format cannot hold."""
    folder = destination.path
    folder.mkdir()
    write_lines(folder / TOPICS, (line for topic in collection.topics for line in _lines(topic)))
    write_lines(folder / QRELS, (_qrel_line(qrel) for qrel in collection.qrels))
    lost = Counter(left_out(collection, "documents", "answers", "strata", "clusters", "pairs", "passages"))
    lost["line breaks and spaces around texts"] = sum(
        " ".join(topic.text.split()) != topic.text for topic in collection.topics
    )
    return +lost


def word(value: str, name: str) -> str:
    """The value, validated as one word, because TREC columns are separated by spaces."""
    if value.split() != [value] or value.startswith("\ufeff"):  # at the start of a file this is a byte order mark
        raise SuiteError(f"{name} {value!r}", "TREC cannot represent it: an id must have no space or line break")
    return value


def _files(sources: Sources) -> tuple[Path, Path]:
    if sources.source.is_dir():
        return sources.source / TOPICS, sources.qrels or sources.source / QRELS
    if sources.qrels is None:
        raise SuiteError(str(sources.source), "topics need judgements; give them with --qrels")
    return sources.source, sources.qrels


def _qrels(path: Path) -> Iterator[tuple[str, Qrel]]:
    for where, line in published_lines(path):
        columns = line.split()
        if len(columns) != 4:
            raise SuiteError(where, f"must have 4 columns (query, iteration, document, grade), not {len(columns)}")
        yield where, Qrel(columns[0], columns[2], whole_number(columns[3], where))


def _with_id_of(judged: Collection_[str], topic: Topic) -> Topic:
    """The topic under the id of its judgements, which write topic 051 as 51."""
    short = topic.query_id.lstrip("0")
    return replace(topic, query_id=short) if topic.query_id not in judged and short in judged else topic


def _listed_topics(path: Path) -> Iterator[tuple[str, Topic]]:
    for where, line in published_lines(path):
        match = _LISTED.fullmatch(line.strip())
        if not match:
            raise SuiteError(where, "must be <top>, or an id, a tab and a text")
        yield where, Topic(query_id=match["id"], text=match["text"].strip())


def _tagged_topics(path: Path) -> Iterator[tuple[str, Topic]]:
    for block in tagged.blocks(read_published(path), path, ("top", "topic"), ("topics", "xml", "root", "queries")):
        values = _values(block.content)
        number = block.attributes.get("number") or block.attributes.get("id") or values.get("num", "")
        if not number:
            raise SuiteError(block.where, "the topic has no <num>")
        name = next((name for name in _TEXTS if values.get(name)), None)
        if name is None:
            raise SuiteError(block.where, "the topic has no <title>")
        details = dict(values) | ({"desc": values["question"]} if name == "query" and values.get("question") else {})
        metadata = {key: details[tag] for tag, key in _METADATA.items() if details.get(tag) and tag != name}
        yield block.where, Topic(query_id=number, text=values[name], metadata=metadata)


def _values(content: str) -> dict[str, str]:
    """The texts of the fields of a topic by their short names, without their leading words."""
    values: dict[str, str] = {}
    for tag, texts in tagged.fields(content, _FIELDS).items():
        name = _NAMES.get(tag, tag)
        values.setdefault(name, _without_label(name, tagged.plain(texts[0])))
    if not values:
        values[""] = tagged.plain(content)
    return values


def _without_label(name: str, text: str) -> str:
    match = _LEADING[name].match(text) if name in _LEADING else None
    return text[match.end() :].strip() if match else text


def _lines(topic: Topic) -> Iterator[str]:
    yield "<top>"
    yield f"<num> Number: {_escaped(word(topic.query_id, 'query'))}"
    yield f"<title> {_title(topic)}"
    for tag, name in _METADATA.items():
        value = topic.metadata.get(name)
        if isinstance(value, str) and value.split():
            yield from (f"<{tag}> {_LABELS[tag]}", _escaped(" ".join(value.split())))
    yield "</top>"


def _title(topic: Topic) -> str:
    text = " ".join(topic.text.split())
    return f"Topic: {_escaped(text)}" if _LEADING["title"].match(text) else _escaped(text)


def _escaped(text: str) -> str:
    """The text, with entities only where a reader of tags would take it for something else."""
    return text if tagged.plain(text) == text and "<" not in text else html.escape(text, quote=False)


def _qrel_line(qrel: Qrel) -> str:
    return f"{word(qrel.query_id, 'query')} 0 {word(qrel.doc_id, 'document')} {qrel.grade}"


def _recognises(path: Path) -> bool:
    if path.is_dir():
        return (path / TOPICS).is_file()
    return bool(re.match(r"(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(?:top|topics?)\b", beginning(path), re.I | re.S))


FORMAT = Format(name="trec", read=read, write=write, recognises=_recognises, takes_qrels=True, takes_corpus=True)

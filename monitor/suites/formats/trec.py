"""TREC topics and qrels: a folder with topics.txt and qrels.txt, or a topics file with its qrels beside it.

    <top>
    <num> Number: 301
    <title> International Organized Crime
    <desc> Description:
    Identify organizations that …
    <narr> Narrative:
    A relevant document …
    </top>

    301 0 FBIS3-10082 1        query, iteration (not used), document, grade

Topics may also be lines of `id <tab> text`. The title is the query text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.suites.formats import beir
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
from monitor.suites.formats.json_values import opening
from monitor.suites.formats.placement import write_lines
from monitor.suites.lines import read_text

TOPICS, QRELS = "topics.txt", "qrels.txt"
_TAG = re.compile(r"\s*<(/?top|num|title|desc|narr)>(.*)", re.IGNORECASE | re.DOTALL)
_LEADING = {"num": "Number:", "desc": "Description:", "narr": "Narrative:"}
_METADATA = {"desc": "description", "narr": "narrative"}


def read(sources: Sources) -> Collection:
    """Read topics and qrels."""
    topics, qrels = _files(sources)
    builder = CollectionBuilder(topics)
    if sources.corpus:
        beir.add_corpus(builder, sources.corpus)
    for where, topic in _tagged_topics(topics) if opening(topics, 1) == "<" else _listed_topics(topics):
        builder.add_topic(topic, where)
    for where, line in read_text(qrels):
        fields = line.split()
        if len(fields) != 4:
            raise SuiteError(where, f"must have 4 columns (query, iteration, document, grade), not {len(fields)}")
        builder.judge(Qrel(fields[0], fields[2], whole_number(fields[3], where)), where)
    return builder.finish()


def write(collection: Collection, destination: Destination) -> Mapping[str, int]:
    """Write a folder with topics and qrels. Raises SuiteError for ids that the format cannot hold."""
    folder = destination.path
    folder.mkdir()
    write_lines(folder / TOPICS, (line for topic in collection.topics for line in _lines(topic)))
    write_lines(folder / QRELS, (_qrel_line(qrel) for qrel in collection.qrels))
    lost = Counter(left_out(collection, "documents", "answers", "strata", "clusters", "pairs", "passages"))
    lost["line breaks and spaces around texts"] = sum(_title(topic) != topic.text for topic in collection.topics)
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


def _listed_topics(path: Path) -> Iterator[tuple[str, Topic]]:
    for where, line in read_text(path):
        query_id, tab, text = line.partition("\t")
        if not tab:
            raise SuiteError(where, "must be <top>, or an id, a tab and a text")
        yield where, Topic(query_id=query_id.strip(), text=text.strip())


def _tagged_topics(path: Path) -> Iterator[tuple[str, Topic]]:
    fields: dict[str, list[str]] | None = None
    start, tag = "", ""
    for where, line in read_text(path):
        match = _TAG.match(line)
        tag = match[1].lower() if match else tag
        if match and tag.endswith("top") and match[2].strip():
            raise SuiteError(where, f"<{tag}> must be alone on its line")
        if tag == "top" and match:
            if fields is not None:
                raise SuiteError(where, f"a topic starts before the topic at {start} ends: </top> is missing")
            fields, start = {}, where
        elif fields is None:
            raise SuiteError(where, "is outside of <top> … </top>")
        elif tag == "/top":
            yield start, _topic(fields, start)
            fields = None
        else:
            fields.setdefault(tag, []).append(match[2] if match else line)
    if fields is not None:
        raise SuiteError(start, "the topic does not end: </top> is missing")


def _topic(fields: Mapping[str, list[str]], where: str) -> Topic:
    values = {tag: _field(tag, lines) for tag, lines in fields.items()}
    for tag in ("num", "title"):
        if not values.get(tag):
            raise SuiteError(where, f"the topic has no <{tag}>")
    metadata = {name: values[tag] for tag, name in _METADATA.items() if values.get(tag)}
    return Topic(query_id=values["num"], text=values["title"], metadata=metadata)


def _field(tag: str, lines: list[str]) -> str:
    text = " ".join(line.strip() for line in lines).strip().removesuffix(f"</{tag}>").strip()
    return text.removeprefix(_LEADING.get(tag, "")).strip()


def _lines(topic: Topic) -> Iterator[str]:
    yield "<top>"
    number = f"Number: {word(topic.query_id, 'query')}"
    if _field("num", [number]) != topic.query_id:
        raise SuiteError(f"query {topic.query_id!r}", "TREC cannot represent it: it ends with the tag </num>")
    yield f"<num> {number}"
    yield f"<title> {_title(topic)}"
    for tag, name in _METADATA.items():
        if text := _folded(topic.metadata.get(name), tag):
            yield from (f"<{tag}> {_LEADING[tag]}", text)
    yield "</top>"


def _title(topic: Topic) -> str:
    text = " ".join(line.strip() for line in topic.text.strip().split("\n"))
    if _field("title", [text]) != text:
        raise SuiteError(f"query {topic.query_id!r}", "TREC cannot represent its text: it ends with the tag </title>")
    return text


def _folded(value: Any, tag: str) -> str:
    """A description or narrative on one line; empty if the line would be parsed as a tag."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return "" if _TAG.match(text) or _field(tag, [_LEADING[tag], text]) != text else text


def _qrel_line(qrel: Qrel) -> str:
    return f"{word(qrel.query_id, 'query')} 0 {word(qrel.doc_id, 'document')} {qrel.grade}"


def _recognises(path: Path) -> bool:
    return (path / TOPICS).is_file() if path.is_dir() else opening(path, 5).lower() == "<top>"


FORMAT = Format(name="trec", read=read, write=write, recognises=_recognises, takes_qrels=True, takes_corpus=True)

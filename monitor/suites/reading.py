"""Reading a suite from its folder: the BEIR layout, with what recallwatch adds to it.

    <folder>/suite.yaml        title, version, axis, owner, licence, controls     (optional)
    <folder>/corpus.jsonl      {"_id", "title", "text"}
    <folder>/queries.jsonl     {"_id", "text", "metadata": {"stratum", "cluster", "answers"}}
    <folder>/qrels/test.tsv    query-id <tab> corpus-id <tab> score
    <folder>/pairs.jsonl       {"query_id", "satisfying_id", "violating_id", "mirror"}   (optional)

Everything is checked while it is read; the first mistake is a `SuiteError` with file and line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import yaml

from monitor.errors import SuiteError
from monitor.model import Axis, Pair, Query, Suite

OVERALL = "overall"
"""Name of the stratum that is the whole suite."""

_HEAD_KEYS = {"name", "title", "version", "axis", "owner", "licence", "description", "controls", "strata", "source"}


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a suite's own corpus."""

    doc_id: str
    title: str
    text: str

    @property
    def full_text(self) -> str:
        """Title and text as a retriever would index them."""
        return f"{self.title} {self.text}".strip()


def read_suite(folder: Path) -> Suite:
    """The suite in a folder. Raises SuiteError naming file and line."""
    if not folder.is_dir():
        raise SuiteError(str(folder), "no such folder; a suite is a folder with queries.jsonl and qrels/test.tsv")
    head = _read_head(folder / "suite.yaml")
    known_documents = {document.doc_id for document in read_corpus(folder)}
    queries = _read_queries(folder / "queries.jsonl", default_stratum=head["name"])
    grades = _read_grades(folder / "qrels" / "test.tsv", queries.keys(), known_documents)
    pairs = tuple(_read_pairs(folder / "pairs.jsonl", queries.keys(), known_documents))
    if not any(grade > 0 for judged in grades.values() for grade in judged.values()):
        raise SuiteError(str(folder / "qrels" / "test.tsv"), "no query has a relevant document")
    suite = Suite(
        head["name"],
        head["version"],
        head["axis"],
        tuple(_judge(query, grades.get(query.query_id, {})) for query in queries.values()),
        pairs,
        head["controls"],
    )
    if OVERALL in suite.strata and len(suite.strata) > 1:
        raise SuiteError(str(folder / "queries.jsonl"), f"a stratum cannot be called {OVERALL}: it is the whole suite")
    unknown = suite.controls - set(suite.strata)
    if unknown:
        raise SuiteError(str(folder / "suite.yaml"), f"controls: no stratum is called {', '.join(sorted(unknown))}")
    return replace(suite, digest=digest_of(suite))


def read_corpus(folder: Path) -> Iterator[Document]:
    """The documents of a suite, one after the other."""
    path = folder / "corpus.jsonl"
    seen: set[str] = set()
    for where, row in _read_lines(path):
        doc_id = _text(row, "_id", where)
        if doc_id in seen:
            raise SuiteError(where, f"duplicate document id {doc_id}")
        seen.add(doc_id)
        yield Document(doc_id, str(row.get("title") or ""), _text(row, "text", where))


def digest_of(suite: Suite) -> str:
    """SHA-256 over everything that could change a measurement: queries, strata, clusters, grades, pairs."""
    content = [[q.query_id, q.text, q.stratum, q.cluster, sorted(q.grades.items()), q.answers] for q in suite.queries]
    pairs = [[p.query_id, p.satisfying_id, p.violating_id, p.mirror_id] for p in suite.pairs]
    return hashlib.sha256(orjson.dumps([suite.axis, sorted(suite.controls), content, pairs])).hexdigest()


def _read_head(path: Path) -> dict[str, Any]:
    stated = _load_yaml(path) if path.exists() else {}
    for key in stated:
        if key not in _HEAD_KEYS:
            raise SuiteError(f"{path}: {key}", f"unknown key; known are {', '.join(sorted(_HEAD_KEYS))}")
    axis = stated.get("axis", Axis.BROAD)
    if axis not in list(Axis):
        raise SuiteError(f"{path}: axis", f"is {axis!r}; must be compositional or broad")
    return {
        "name": str(stated.get("name") or path.parent.resolve().name),
        "version": str(stated.get("version", "0")),
        "axis": Axis(axis),
        "controls": frozenset(stated.get("controls") or ()),
    }


def _load_yaml(path: Path) -> Mapping[str, Any]:
    try:
        stated = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise SuiteError(f"{path}{line}", f"not YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(stated, dict):
        raise SuiteError(str(path), "must be a mapping of keys to values")
    return stated


def _read_queries(path: Path, *, default_stratum: str) -> dict[str, Query]:
    queries: dict[str, Query] = {}
    for where, row in _read_lines(path):
        query_id = _text(row, "_id", where)
        if query_id in queries:
            raise SuiteError(where, f"duplicate query id {query_id}")
        metadata = row.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise SuiteError(where, "metadata must be an object")
        queries[query_id] = Query(
            query_id,
            _text(row, "text", where),
            str(metadata.get("stratum") or default_stratum),
            str(metadata.get("cluster") or ""),
            answers=tuple(str(answer) for answer in metadata.get("answers") or ()),
        )
    if not queries:
        raise SuiteError(str(path), "the suite is empty: it has no query")
    return queries


def _read_grades(path: Path, queries: Container[str], documents: set[str]) -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = {}
    for where, line in _read_text(path):
        fields = line.split("\t")
        if not grades and fields[0] == "query-id":
            continue
        if len(fields) != 3:
            raise SuiteError(where, f"has {len(fields)} fields; must be query-id, corpus-id, score with tabs between")
        query_id, doc_id, grade = fields
        if query_id not in queries:
            raise SuiteError(where, f"unknown query {query_id}")
        if doc_id not in documents:
            raise SuiteError(where, f"unknown document {doc_id}")
        judged = grades.setdefault(query_id, {})
        if doc_id in judged:
            raise SuiteError(where, f"document {doc_id} is judged twice for query {query_id}")
        judged[doc_id] = _grade(grade, where)
    return grades


def _grade(stated: str, where: str) -> int:
    try:
        return int(stated)
    except ValueError:
        raise SuiteError(where, f"score {stated!r} is not a whole number") from None


def _read_pairs(path: Path, queries: Container[str], documents: set[str]) -> Iterator[Pair]:
    for where, row in _read_lines(path) if path.exists() else ():
        pair = Pair(
            _text(row, "query_id", where),
            _text(row, "satisfying_id", where),
            _text(row, "violating_id", where),
            row.get("mirror"),
        )
        for query_id in filter(None, (pair.query_id, pair.mirror_id)):
            if query_id not in queries:
                raise SuiteError(where, f"unknown query {query_id}")
        for doc_id in (pair.satisfying_id, pair.violating_id):
            if doc_id not in documents:
                raise SuiteError(where, f"unknown document {doc_id}")
        yield pair


def _judge(query: Query, grades: Mapping[str, int]) -> Query:
    """Queries without a stated cluster are grouped by their best document: they share its fate."""
    best = max(grades, key=lambda doc_id: grades[doc_id], default=query.query_id)
    return replace(query, grades=dict(grades), cluster=query.cluster or best)


def _read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, line in _read_text(path):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise SuiteError(where, f"not JSON: {error.msg}") from error
        if not isinstance(row, dict):
            raise SuiteError(where, "must be a JSON object")
        yield where, row


def _read_text(path: Path) -> Iterator[tuple[str, str]]:
    """Each line that is not blank, with its place."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                where = f"{path}:{number}"
                try:
                    line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    raise SuiteError(where, f"not UTF-8 at byte {error.start + 1}") from error
                if line.strip():
                    yield where, line
    except OSError as error:
        raise SuiteError(str(path), error.strerror or str(error)) from error


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise SuiteError(where, f"{key} must be a text that is not empty")
    return value

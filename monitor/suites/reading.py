"""Read a suite from its folder: the BEIR layout with the additions of recallwatch.

    <folder>/suite.yaml        title, version, axis, owner, licence, controls, depth, corpus     (optional)
    <folder>/corpus.jsonl      {"_id", "title", "text"}                            (optional)
    <folder>/queries.jsonl     {"_id", "text", "metadata": {"stratum", "cluster", "style", "answers", "answer_parts",
                                                       "follows"}}
    <folder>/qrels/test.tsv    query-id <tab> corpus-id <tab> score
    <folder>/passages.jsonl    {"query_id", "doc_id", "start", "end", "quote", "grade"}   (optional; then so are qrels)
    <folder>/pairs.jsonl       {"query_id", "satisfying_id", "violating_id", "mirror"}   (optional)

Everything is validated while it is read; the first mistake is a `SuiteError` with file and line. Ids, strata and
clusters are strings, grades are whole numbers from 0. A byte order mark and CRLF are accepted.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from monitor.errors import SuiteError
from monitor.model.passages import Passage
from monitor.model.suites import STYLE, Axis, Query, Suite, is_style
from monitor.statistics.pairing import OVERALL, PHENOMENA
from monitor.suites.lines import identifier, label, read_lines, read_text, refer_to_document, refer_to_query, text_of
from monitor.suites.locating import corpus_file, load_head
from monitor.suites.pairs import read_pairs
from monitor.suites.passages import read_passages

_RESERVED = {OVERALL: "the suite as a whole", PHENOMENA: "all phenomena without the controls"}
_HEAD_KEYS = ("name", "title", "version", "axis", "owner", "licence", "description", "controls", "strata", "source",
              "depth", "corpus", "measured")  # fmt: skip
_NUMBER = re.compile(r"[+-]?[0-9.]+")
_GRADE = re.compile(r"[0-9]{1,6}")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    name: str
    version: str
    axis: Axis
    controls: frozenset[str]
    depth: int


def read_suite(folder: Path) -> Suite:
    """The suite in a folder. Raises SuiteError naming file and line."""
    if not os.path.isdir(folder):
        raise SuiteError(str(folder), "no such folder; a suite is a folder with queries.jsonl and qrels/test.tsv")
    head = _read_head(folder / "suite.yaml")
    # A production corpus need not be copied: only queries and judgements are required.
    documents, corpus = _read_documents(folder) if has_corpus(folder) else (None, "")
    queries = _read_queries(folder / "queries.jsonl", default_stratum=head.name)
    passages = _read_passages(folder, queries)
    qrels = folder / "qrels" / "test.tsv"
    grades = _read_grades(qrels, queries.keys(), documents) if os.path.lexists(qrels) or not passages else {}
    pairs = read_pairs(folder / "pairs.jsonl", queries.keys(), documents)
    judged_queries = tuple(
        _judge(query, grades.get(query_id, {}), passages.get(query_id, ())) for query_id, query in queries.items()
    )
    suite = Suite(
        name=head.name,
        version=head.version,
        axis=head.axis,
        queries=judged_queries,
        pairs=pairs,
        controls=head.controls,
        corpus=corpus,
        depth=head.depth,
    )
    _refuse_empty_strata(suite, folder)
    return replace(suite, digest=digest_of(suite))


def suite_name(folder: Path) -> str:
    """The name in suite.yaml, else the name of the folder."""
    return _read_head(folder / "suite.yaml").name


def has_corpus(folder: Path) -> bool:
    """Whether the folder of a suite has a corpus.jsonl, or names the folder of another suite that has one."""
    return os.path.lexists(corpus_file(folder))


def read_corpus(folder: Path) -> Iterator[Document]:
    """Iterate over the documents of a suite."""
    doc_ids: set[str] = set()
    for where, row in read_lines(corpus_file(folder)):
        doc_id = identifier(row, where)
        if doc_id in doc_ids:
            raise SuiteError(where, f"duplicate document id {doc_id}")
        doc_ids.add(doc_id)
        yield Document(doc_id, str(row.get("title") or ""), text_of(row.get("text"), "text", where, may_be_empty=True))


def _read_documents(folder: Path) -> tuple[set[str], str]:
    """The ids of the suite's documents, and a digest of their contents that does not depend on their order."""
    documents: set[str] = set()
    total = 0
    for document in read_corpus(folder):
        documents.add(document.doc_id)
        content = "\x1f".join((document.doc_id, document.title, document.text)).encode()
        total += int.from_bytes(hashlib.sha256(content).digest())
    return documents, f"{total % 2**256:064x}"


def digest_of(suite: Suite) -> str:
    """SHA-256 over everything that can change a measurement or a verdict.

    It covers the queries in order with strata, clusters, grades, passages and answers, the pairs, the axis and the
    controls. It does not cover the name, the version, the documents, or the order of judgements and pairs.
    """
    content = [
        [
            q.query_id,
            q.text,
            q.stratum,
            q.cluster,
            sorted(q.grades.items()),
            q.answers,
            *map(list, q.passages),
            *filter(None, [q.follows]),
            *([{"style": q.style}] if q.style else []),
            *([{"answer_parts": q.answer_parts}] if q.answer_parts else []),
        ]
        for q in suite.queries
    ]
    pairs = sorted([p.query_id, p.satisfying_id, p.violating_id, p.mirror_id or ""] for p in suite.pairs)
    return hashlib.sha256(orjson.dumps([suite.axis, sorted(suite.controls), content, pairs])).hexdigest()


def _read_head(path: Path) -> _Head:
    head = load_head(path)
    for key in head:
        if key not in _HEAD_KEYS:
            raise SuiteError(str(path), f"unknown key {key}; known keys: {', '.join(_HEAD_KEYS)}")
    for key in ("name", "version", "axis"):
        if key in head:
            text_of(head[key], key, str(path))
    axis, controls = head.get("axis", Axis.BROAD), head.get("controls") or []
    if axis not in list(Axis):
        raise SuiteError(str(path), f"axis is {axis!r}; must be compositional or broad")
    if not isinstance(controls, list) or not all(isinstance(stratum, str) for stratum in controls):
        raise SuiteError(str(path), "controls must be a list of strata such as [paraphrase, entity]")
    name = head.get("name") or os.path.basename(os.path.abspath(path.parent))
    if name == OVERALL:
        raise SuiteError(str(path), f"the name {OVERALL} is reserved for the suite as a whole")
    depth = head.get("depth", "0")
    if not isinstance(depth, str) or not re.fullmatch(r"[0-9]{1,4}", depth):
        raise SuiteError(
            str(path), f"depth is {depth!r}; must be a whole number, the minimum number of hits to request"
        )
    return _Head(
        name=name, version=head.get("version", "0"), axis=Axis(axis), controls=frozenset(controls), depth=int(depth)
    )


def _read_queries(path: Path, *, default_stratum: str) -> dict[str, Query]:
    queries: dict[str, Query] = {}
    for where, row in read_lines(path):
        query_id = identifier(row, where)
        if query_id in queries:
            raise SuiteError(where, f"duplicate query id {query_id}")
        metadata = row.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise SuiteError(where, "metadata must be an object")
        stratum = label(metadata, "stratum", where) or default_stratum
        if stratum in _RESERVED:
            raise SuiteError(where, f"the stratum name {stratum} is reserved for {_RESERVED[stratum]}")
        if is_style(stratum):
            raise SuiteError(where, f"stratum names must not begin with {STYLE!r}: use metadata.style")
        queries[query_id] = Query(
            query_id=query_id,
            text=text_of(row.get("text"), "text", where),
            stratum=stratum,
            cluster=label(metadata, "cluster", where),
            answers=_answers(metadata, where),
            answer_parts=_answer_parts(metadata, where),
            style=label(metadata, "style", where),
            follows=_follows(metadata, queries, where),
        )
    if not queries:
        raise SuiteError(str(path), "the suite has no query")
    return queries


def _read_grades(path: Path, queries: Collection[str], documents: Collection[str] | None) -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = {}
    for index, (where, line) in enumerate(read_text(path)):
        fields = line.split("\t")
        if index == 0 and len(fields) == 3 and not _NUMBER.fullmatch(fields[2].strip()):
            continue  # a header, whatever its words
        if len(fields) != 3:
            problem = f"must have 3 tab-separated columns (query-id, corpus-id, score), not {len(fields)}"
            raise SuiteError(where, problem)
        query_id, doc_id, grade = fields
        refer_to_query(query_id, queries, where)
        refer_to_document(doc_id, documents, where)
        query_grades = grades.setdefault(query_id, {})
        if doc_id in query_grades:
            raise SuiteError(where, f"document {doc_id} is judged twice for query {query_id}")
        query_grades[doc_id] = _grade(grade.strip(), where)
    return grades


def _grade(score: str, where: str) -> int:
    if not _GRADE.fullmatch(score):
        raise SuiteError(where, f"score {score!r} must be a whole number from 0 (not relevant) to 999999")
    return int(score)


def _read_passages(folder: Path, queries: Collection[str]) -> dict[str, list[Passage]]:
    path = folder / "passages.jsonl"
    if not os.path.lexists(path):
        return {}
    corpus = ((document.doc_id, document.text) for document in read_corpus(folder)) if has_corpus(folder) else None
    return read_passages(path, queries, corpus)


def _judge(query: Query, grades: Mapping[str, int], passages: Iterable[Passage]) -> Query:
    """Add judgements to a query. The default cluster is its most relevant document or passage."""
    # The order of judgements in the file must not matter.
    ordered = dict(sorted(grades.items()))
    passages = tuple(sorted(passages, key=lambda passage: [str(value) for value in passage]))
    units = {passage.quote or passage.name: passage.grade for passage in passages} | ordered
    best = max(units, key=units.__getitem__, default=query.query_id)
    return replace(query, grades=ordered, passages=passages, cluster=query.cluster or best)


def _refuse_empty_strata(suite: Suite, folder: Path) -> None:
    """Refuse strata without judgements: they would look monitored although nothing is measured."""
    unknown = suite.controls - set(suite.strata)
    if unknown:
        raise SuiteError(str(folder / "suite.yaml"), f"controls: unknown strata: {', '.join(sorted(unknown))}")
    judged_strata = {query.stratum for query in suite.queries if query.is_judged}
    for stratum in suite.strata:
        if stratum not in judged_strata:
            of_stratum = f" of stratum {stratum}" if judged_strata else ""
            problem = f"no query{of_stratum} has a relevant document (a score of 1 or more)"
            qrels, passages = folder / "qrels" / "test.tsv", folder / "passages.jsonl"
            raise SuiteError(str(qrels if os.path.lexists(qrels) else passages), problem)


def _follows(metadata: Mapping[str, Any], earlier: Mapping[str, Query], where: str) -> str:
    """The id of the previous hop. It must be an earlier query, so that chains have no cycle."""
    follows = label(metadata, "follows", where)
    if follows and follows not in earlier:
        raise SuiteError(where, f"follows {follows}, which is not an earlier query")
    if follows and any(query.follows == follows for query in earlier.values()):
        raise SuiteError(where, f"follows {follows}, which another query follows already: chains must not fork")
    return follows


def _answer_parts(metadata: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], ...]:
    """The parts of the answer. They need `answers`, too: tools that know no parts compare with the whole."""
    parts = metadata.get("answer_parts") or []
    if not isinstance(parts, list) or not all(isinstance(part, list) and part for part in parts):
        raise SuiteError(where, "metadata.answer_parts must be a list of lists of strings, one list for each part")
    if len(parts) == 1 or (parts and not metadata.get("answers")):
        raise SuiteError(where, "metadata.answer_parts needs two parts or more, and metadata.answers with the whole")
    return tuple(tuple(text_of(text, "metadata.answer_parts", where) for text in part) for part in parts)


def _answers(metadata: Mapping[str, Any], where: str) -> tuple[str, ...]:
    answers = metadata.get("answers") or []
    if not isinstance(answers, list):
        raise SuiteError(where, "metadata.answers must be a list of strings")
    return tuple(text_of(answer, "metadata.answers", where) for answer in answers)

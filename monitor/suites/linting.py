"""What is wrong with a suite that can be read: each finding says what to do about it.

An *error* makes measures wrong, a *warning* makes them mislead, a *note* is good to know. The documents are gone
through twice; only the relevant ones are held.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from monitor.evaluation.passages.quotes import normalise
from monitor.model.passages import LabelState
from monitor.model.suites import Axis, Query, Suite
from monitor.suites.evidence import Evidence
from monitor.suites.reading import Document
from monitor.suites.similarity import Neighbourhood, alike

LIKE_QUERIES = 0.7
"""Share of their words that near-duplicate queries have in common: one of six or more words differs."""
LIKE_DOCUMENTS = 0.7
"""Share of their runs of three words that near-duplicate documents have in common: one of some twenty words differs."""
LEAKED_WORDS = 4
"""A shorter query that stands in its document is a keyword, not a quotation."""
ENOUGH_CLUSTERS, ENOUGH_PAIRS = 20, 80

_QUERY_BANDS, _DOCUMENT_BANDS = 16, 12
_SHINGLE = 3
_BATCH = 4_096
_NAMED = 3

Documents = Callable[[], Iterable[Document]]


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a suite that somebody should look at."""

    severity: Severity
    rule: str
    where: str
    """A file of the suite, or the id of a query or document."""
    text: str
    remedy: str


def lint(suite: Suite, documents: Documents | None) -> Iterator[Finding]:
    """Everything that is found. ``documents`` opens the suite's own documents; None where it brings none."""
    yield from _head(suite)
    yield from _strata(suite)
    yield from _queries(suite.queries)
    if documents is None:
        told = "the documents are not in the suite: leaked answers, holes and unreachable documents are not looked for"
        yield Finding(Severity.NOTE, "no-corpus", "corpus.jsonl", told, "add a corpus.jsonl to have them looked for")
    else:
        yield from _documents(suite.queries, documents)


def _head(suite: Suite) -> Iterator[Finding]:
    if suite.version in ("", "0"):
        told = "the suite has no version: nobody can say which one a number was measured by"
        yield Finding(Severity.WARNING, "no-version", "suite.yaml", told, 'state one, such as version: "1"')
    clusters = Counter((query.stratum, query.cluster) for query in suite.queries)
    if len(clusters) == len(suite.queries):
        told = "every query is a cluster of its own: the queries are taken to be independent"
        remedy = "give queries that share a template, a document or a conversation one metadata.cluster"
        yield Finding(Severity.NOTE, "independence-assumed", "queries.jsonl", told, remedy)


def _strata(suite: Suite) -> Iterator[Finding]:
    sizes = Counter(query.stratum for query in suite.queries if query.is_judged)
    clusters = Counter(stratum for stratum, _ in {(each.stratum, each.cluster) for each in suite.queries})
    stratum_of = {query.query_id: query.stratum for query in suite.queries}
    pairs = Counter(stratum_of[pair.query_id] for pair in suite.pairs)
    for stratum in suite.strata:
        if clusters[stratum] < ENOUGH_CLUSTERS:
            told = (
                f"{clusters[stratum]} clusters are few: at least {ENOUGH_CLUSTERS} make a test and its interval sound"
            )
            yield Finding(Severity.WARNING, "few-clusters", stratum, told, "add queries from other sources")
        if suite.axis is Axis.COMPOSITIONAL and pairs[stratum] < ENOUGH_PAIRS:
            told = f"{pairs[stratum]} pairs are few: at least {ENOUGH_PAIRS} show a change worth knowing"
            yield Finding(Severity.WARNING, "few-pairs", stratum, told, "add pairs to pairs.jsonl")
        # Of two strata, one always has half.
        if len(suite.strata) > 2 and 2 * sizes[stratum] > sizes.total():
            told = f"{sizes[stratum]} of {sizes.total()} judged queries are of this stratum: it decides the whole suite"
            remedy = "add queries to the other strata, or make it a suite of its own"
            yield Finding(Severity.WARNING, "unbalanced-strata", stratum, told, remedy)


def _queries(queries: Iterable[Query]) -> Iterator[Finding]:
    groups: defaultdict[str, list[Query]] = defaultdict(list)
    for query in queries:
        groups[normalise(query.text)].append(query)
        if not query.is_judged:
            told = "nothing is judged relevant: it is skipped in every run"
            remedy = "judge a document for it, or take it out"
            yield Finding(Severity.WARNING, "unjudged-query", query.query_id, told, remedy)
    for group in groups.values():
        yield from _duplicates(group)
    yield from _near_duplicates({text: group[0] for text, group in groups.items() if text})


def _duplicates(group: list[Query]) -> Iterator[Finding]:
    first, *others = group
    for other in others:
        if (other.grades, other.passages) == (first.grades, first.passages):
            told = f"asks the same as {first.query_id}: it counts twice"
            yield Finding(Severity.WARNING, "duplicate-query", other.query_id, told, "take one of them out")
        else:
            told = f"asks the same as {first.query_id} and is judged otherwise: no ranking can satisfy both"
            remedy = "give one of them the judgements of both, and take the other out"
            yield Finding(Severity.ERROR, "contradicting-queries", other.query_id, told, remedy)


def _near_duplicates(queries: Mapping[str, Query]) -> Iterator[Finding]:
    """Near-duplicates within a cluster are known to stand and fall together: they count as one already."""
    asked = list(queries.values())
    for first, second, similarity in alike(list(queries), size=1, at_least=LIKE_QUERIES, bands=_QUERY_BANDS):
        one, other = asked[first], asked[second]
        if (one.stratum, one.cluster) != (other.stratum, other.cluster):
            told = f"asks nearly the same as {one.query_id} ({similarity:.0%} of the words), in another cluster"
            remedy = "give both one metadata.cluster, or take one of them out"
            yield Finding(Severity.WARNING, "near-duplicate-query", other.query_id, told, remedy)


def _documents(queries: Iterable[Query], documents: Documents) -> Iterator[Finding]:
    judging = _judging(queries)
    evidence = Evidence(queries)
    relevant: dict[str, str] = {}
    missing = set(judging)
    for document in documents():
        evidence.look_at(document)
        if document.doc_id not in judging:
            continue
        missing.discard(document.doc_id)
        text = normalise(document.full_text)
        asked = [query for query in judging[document.doc_id] if document.doc_id in _relevant(query)]
        if not text:
            yield _unreachable(document.doc_id, judging[document.doc_id], "has no text")
        elif asked:
            relevant[document.doc_id] = text
            yield from _leaks(document.doc_id, text, asked)
    for doc_id in sorted(missing):
        yield _unreachable(doc_id, judging[doc_id], "is not in corpus.jsonl")
    yield from _lost(evidence)
    if relevant:
        yield from _holes(relevant, judging, documents)


def _judging(queries: Iterable[Query]) -> dict[str, list[Query]]:
    """The queries that judge each document, by itself or a passage of it."""
    judging: defaultdict[str, list[Query]] = defaultdict(list)
    for query in queries:
        for doc_id in _judged(query):
            judging[doc_id].append(query)
    return dict(judging)


def _judged(query: Query) -> set[str]:
    return {*query.grades, *(each.doc_id for each in query.passages if each.doc_id is not None)}


def _relevant(query: Query) -> set[str]:
    by_passage = {each.doc_id for each in query.passages if each.doc_id is not None and each.grade > 0}
    return by_passage | {doc_id for doc_id, grade in query.grades.items() if grade > 0}


def _unreachable(doc_id: str, queries: list[Query], why: str) -> Finding:
    told = f"is judged for {_named(queries)} and {why}: no retriever can find it"
    return Finding(Severity.ERROR, "unreachable-document", doc_id, told, "add its text, or take the judgement out")


def _leaks(doc_id: str, text: str, queries: list[Query]) -> Iterator[Finding]:
    for query in queries:
        asked = normalise(query.text)
        if asked in text and asked.count(" ") + 1 >= LEAKED_WORDS:
            told = f"stands word for word in its relevant document {doc_id}: matching words is enough to find it"
            remedy = "ask it in other words"
            yield Finding(Severity.WARNING, "leaked-answer", query.query_id, told, remedy)


def _lost(evidence: Evidence) -> Iterator[Finding]:
    for (query_id, passage), state in evidence.lost():
        severity = Severity.ERROR if state is LabelState.ORPHANED else Severity.WARNING
        told = f"the quote of {passage.name} does not stand where it was judged ({state.replace('_', '-')})"
        remedy = "correct place or quote in passages.jsonl"
        yield Finding(severity, "lost-passage", query_id, told, remedy)


def _holes(relevant: Mapping[str, str], judging: Mapping[str, list[Query]], documents: Documents) -> Iterator[Finding]:
    """Near-copies of relevant documents that nobody judged: a retriever that prefers them is called wrong."""
    names = list(relevant)
    neighbourhood = Neighbourhood(list(relevant.values()), size=_SHINGLE, bands=_DOCUMENT_BANDS)
    passing = ((document.doc_id, normalise(document.full_text)) for document in documents())
    for batch in _batches((doc_id, text) for doc_id, text in passing if text):
        for kept, place, similarity in neighbourhood.near([text for _, text in batch], at_least=LIKE_DOCUMENTS):
            original, copy = names[kept], batch[place][0]
            unjudged = [
                query for query in judging[original] if original in _relevant(query) and copy not in _judged(query)
            ]
            if unjudged and copy != original:
                told = f"is nearly {original} ({similarity:.0%}) and carries no judgement for {_named(unjudged)}"
                remedy = "judge it too, with 0 if it does not answer"
                yield Finding(Severity.WARNING, "hole", copy, told, remedy)


def _batches(rows: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    waiting = iter(rows)
    while batch := list(itertools.islice(waiting, _BATCH)):
        yield batch


def _named(queries: list[Query]) -> str:
    more = f" and {len(queries) - _NAMED} more" if len(queries) > _NAMED else ""
    return ", ".join(query.query_id for query in queries[:_NAMED]) + more

"""Lint a readable suite. Each finding has a remedy.

An *error* makes measures wrong, a *warning* makes them misleading, a *note* is information. The documents are read
twice; only the relevant ones are held.
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
from monitor.suites.quote_check import QuoteCheck
from monitor.suites.reading import Document
from monitor.suites.similarity import Neighbourhood, near_duplicates

LIKE_QUERIES = 0.7
"""Share of words that near-duplicate queries have in common: one word in six or more differs."""
LIKE_DOCUMENTS = 0.7
"""Share of word trigrams that near-duplicate documents have in common: about one word in twenty differs."""
LEAKED_WORDS = 4
"""A shorter query that occurs in its document is a keyword and not a quotation."""
ENOUGH_CLUSTERS, ENOUGH_PAIRS = 20, 80

QUOTING_STYLES = frozenset({"title", "identifier", "quoted"})
"""Query styles that repeat words of their document on purpose."""

_QUERY_BANDS, _DOCUMENT_BANDS = 16, 12
_SHINGLE = 3
_BATCH = 4_096
_MAX_LISTED = 3

Documents = Callable[[], Iterable[Document]]


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem of a suite and its remedy."""

    severity: Severity
    rule: str
    where: str
    """A file of the suite, or the id of a query or document."""
    text: str
    remedy: str


def lint(suite: Suite, documents: Documents | None) -> Iterator[Finding]:
    """All findings. ``documents`` opens the suite's own documents; None if the suite has none."""
    yield from _head(suite)
    yield from _strata(suite)
    yield from _queries(suite.queries)
    if documents is None:
        problem = "the suite has no documents: leaked answers, holes and unreachable documents are not checked"
        yield Finding(
            severity=Severity.NOTE,
            rule="no-corpus",
            where="corpus.jsonl",
            text=problem,
            remedy="add a corpus.jsonl to check them",
        )
    else:
        yield from _documents(suite.queries, documents)


def _head(suite: Suite) -> Iterator[Finding]:
    if suite.version in ("", "0"):
        problem = "the suite has no version: results cannot be assigned to a version of it"
        yield Finding(
            severity=Severity.WARNING,
            rule="no-version",
            where="suite.yaml",
            text=problem,
            remedy='add one, such as version: "1"',
        )
    clusters = Counter((query.stratum, query.cluster) for query in suite.queries)
    if len(clusters) == len(suite.queries):
        problem = "every query is its own cluster: the queries are treated as independent"
        remedy = "give queries from the same template, document or conversation the same metadata.cluster"
        yield Finding(
            severity=Severity.NOTE, rule="independence-assumed", where="queries.jsonl", text=problem, remedy=remedy
        )


def _strata(suite: Suite) -> Iterator[Finding]:
    sizes = Counter(query.stratum for query in suite.queries if query.is_judged)
    clusters = Counter(stratum for stratum, _ in {(query.stratum, query.cluster) for query in suite.queries})
    stratum_of = {query.query_id: query.stratum for query in suite.queries}
    pairs = Counter(stratum_of[pair.query_id] for pair in suite.pairs)
    for stratum in suite.strata:
        if clusters[stratum] < ENOUGH_CLUSTERS:
            problem = f"only {clusters[stratum]} clusters: a valid test and interval need at least {ENOUGH_CLUSTERS}"
            yield Finding(
                severity=Severity.WARNING,
                rule="few-clusters",
                where=stratum,
                text=problem,
                remedy="add queries from other sources",
            )
        if suite.axis is Axis.COMPOSITIONAL and pairs[stratum] < ENOUGH_PAIRS:
            problem = f"only {pairs[stratum]} pairs: detecting a relevant change needs at least {ENOUGH_PAIRS}"
            yield Finding(
                severity=Severity.WARNING,
                rule="few-pairs",
                where=stratum,
                text=problem,
                remedy="add pairs to pairs.jsonl",
            )
        # With two strata, one always has half of the queries.
        if len(suite.strata) > 2 and 2 * sizes[stratum] > sizes.total():
            problem = f"{sizes[stratum]} of {sizes.total()} judged queries are in this stratum: it dominates the suite"
            remedy = "add queries to the other strata, or move this one to its own suite"
            yield Finding(
                severity=Severity.WARNING, rule="unbalanced-strata", where=stratum, text=problem, remedy=remedy
            )


def _queries(queries: Iterable[Query]) -> Iterator[Finding]:
    groups: defaultdict[str, list[Query]] = defaultdict(list)
    for query in queries:
        groups[normalise(query.text)].append(query)
        if not query.is_judged:
            problem = "has no relevant document: every run skips it"
            remedy = "judge a document for it, or remove it"
            yield Finding(
                severity=Severity.WARNING, rule="unjudged-query", where=query.query_id, text=problem, remedy=remedy
            )
    for group in groups.values():
        yield from _duplicates(group)
    yield from _near_duplicates({text: group[0] for text, group in groups.items() if text})


def _duplicates(group: list[Query]) -> Iterator[Finding]:
    first, *others = group
    for other in others:
        if (other.grades, other.passages) == (first.grades, first.passages):
            problem = f"is a duplicate of {first.query_id}: it counts twice"
            yield Finding(
                severity=Severity.WARNING,
                rule="duplicate-query",
                where=other.query_id,
                text=problem,
                remedy="remove one of them",
            )
        else:
            problem = f"is a duplicate of {first.query_id} with other judgements: no ranking can satisfy both"
            remedy = "merge the judgements into one of them and remove the other"
            yield Finding(
                severity=Severity.ERROR, rule="contradicting-queries", where=other.query_id, text=problem, remedy=remedy
            )


def _near_duplicates(queries: Mapping[str, Query]) -> Iterator[Finding]:
    """Near-duplicates within a cluster are ignored: tests treat a cluster as one unit already."""
    representatives = list(queries.values())
    for first, second, similarity in near_duplicates(list(queries), size=1, at_least=LIKE_QUERIES, bands=_QUERY_BANDS):
        one, other = representatives[first], representatives[second]
        if (one.stratum, one.cluster) != (other.stratum, other.cluster):
            problem = f"is a near-duplicate of {one.query_id} ({similarity:.0%} of the words) in another cluster"
            remedy = "give both the same metadata.cluster, or remove one of them"
            yield Finding(
                severity=Severity.WARNING,
                rule="near-duplicate-query",
                where=other.query_id,
                text=problem,
                remedy=remedy,
            )


def _documents(queries: Iterable[Query], documents: Documents) -> Iterator[Finding]:
    judging = _judging(queries)
    quotes = QuoteCheck(queries)
    relevant: dict[str, str] = {}
    missing = set(judging)
    for document in documents():
        quotes.search(document)
        if document.doc_id not in judging:
            continue
        missing.discard(document.doc_id)
        text = normalise(document.full_text)
        leaking = [query for query in judging[document.doc_id] if document.doc_id in _relevant(query)]
        if not text:
            yield _unreachable(document.doc_id, judging[document.doc_id], "has no text")
        elif leaking:
            relevant[document.doc_id] = text
            yield from _leaks(document.doc_id, text, leaking)
    for doc_id in sorted(missing):
        yield _unreachable(doc_id, judging[doc_id], "is not in corpus.jsonl")
    yield from _lost(quotes)
    if relevant:
        yield from _holes(relevant, judging, documents)


def _judging(queries: Iterable[Query]) -> dict[str, list[Query]]:
    """For each document, the queries with a judgement of it or of one of its passages."""
    judging: defaultdict[str, list[Query]] = defaultdict(list)
    for query in queries:
        for doc_id in _judged(query):
            judging[doc_id].append(query)
    return dict(judging)


def _judged(query: Query) -> set[str]:
    return {*query.grades, *(passage.doc_id for passage in query.passages if passage.doc_id is not None)}


def _relevant(query: Query) -> set[str]:
    by_passage = {passage.doc_id for passage in query.passages if passage.doc_id is not None and passage.grade > 0}
    return by_passage | {doc_id for doc_id, grade in query.grades.items() if grade > 0}


def _unreachable(doc_id: str, queries: list[Query], why: str) -> Finding:
    problem = f"is judged for {_listed(queries)} and {why}: no retriever can find it"
    return Finding(
        severity=Severity.ERROR,
        rule="unreachable-document",
        where=doc_id,
        text=problem,
        remedy="add its text, or remove the judgement",
    )


def _leaks(doc_id: str, text: str, queries: list[Query]) -> Iterator[Finding]:
    for query in queries:
        quotation = normalise(query.text)
        is_leaked = quotation in text and quotation.count(" ") + 1 >= LEAKED_WORDS
        if is_leaked and query.style not in QUOTING_STYLES:
            problem = f"is a quotation of its relevant document {doc_id}: word matching is enough to find it"
            remedy = "rephrase it"
            yield Finding(
                severity=Severity.WARNING, rule="leaked-answer", where=query.query_id, text=problem, remedy=remedy
            )


def _lost(quotes: QuoteCheck) -> Iterator[Finding]:
    for (query_id, passage), state in quotes.lost():
        severity = Severity.ERROR if state is LabelState.ORPHANED else Severity.WARNING
        problem = f"the quote of {passage.name} is not at its judged place ({state.replace('_', '-')})"
        remedy = "correct the place or the quote in passages.jsonl"
        yield Finding(severity=severity, rule="lost-passage", where=query_id, text=problem, remedy=remedy)


def _holes(relevant: Mapping[str, str], judging: Mapping[str, list[Query]], documents: Documents) -> Iterator[Finding]:
    """Unjudged near-copies of relevant documents: a retriever that ranks them higher is penalised."""
    names = list(relevant)
    neighbourhood = Neighbourhood(list(relevant.values()), size=_SHINGLE, bands=_DOCUMENT_BANDS)
    normalised = ((document.doc_id, normalise(document.full_text)) for document in documents())
    for batch in _batches((doc_id, text) for doc_id, text in normalised if text):
        for index, place, similarity in neighbourhood.near([text for _, text in batch], at_least=LIKE_DOCUMENTS):
            original, copy = names[index], batch[place][0]
            unjudged = [
                query for query in judging[original] if original in _relevant(query) and copy not in _judged(query)
            ]
            if unjudged and copy != original:
                problem = f"is a near-copy of {original} ({similarity:.0%}) without a judgement for {_listed(unjudged)}"
                remedy = "judge it, with 0 if it is not relevant"
                yield Finding(severity=Severity.WARNING, rule="hole", where=copy, text=problem, remedy=remedy)


def _batches(rows: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    waiting = iter(rows)
    while batch := list(itertools.islice(waiting, _BATCH)):
        yield batch


def _listed(queries: list[Query]) -> str:
    more = f" and {len(queries) - _MAX_LISTED} more" if len(queries) > _MAX_LISTED else ""
    return ", ".join(query.query_id for query in queries[:_MAX_LISTED]) + more

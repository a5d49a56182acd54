"""How many of the returned document ids a suite knows. An index with other ids scores zero, and zero cannot fall."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Suite

LONGEST_EXAMPLE = 40
"""Characters of an id in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """Returned ids that the judgements of a suite name, over the rankings of its judged queries."""

    n_hits: int
    n_known: int
    n_queries: int
    """Number of judged queries with a ranking."""
    n_recognised: int
    """Number of these with at least one known id."""
    returned_id: str = ""
    """A returned id that the suite does not know."""
    known_id: str = ""
    """An id that the suite knows."""

    @property
    def is_foreign(self) -> bool:
        """Whether ids were returned and the suite knows none of them."""
        return self.n_hits > 0 and self.n_known == 0 and bool(self.known_id)

    @property
    def description(self) -> str:
        """The counts in a sentence without a full stop, with an example of both ids where none is known.

        Examples
        --------
        >>> counts = {"n_hits": 20, "n_known": 0, "n_queries": 2, "n_recognised": 0}
        >>> Recognition(**counts, returned_id="a1b2", known_id="184").description
        '0 of 20 returned ids are known to the suite, for example a1b2; the suite has ids such as 184'
        """
        counts = f"{self.n_known:,} of {self.n_hits:,} returned ids are known to the suite"
        if not self.is_foreign:
            return f"{counts}, in the results of {self.n_recognised:,} of {self.n_queries:,} queries"
        return f"{counts}, for example {_short(self.returned_id)}; the suite has ids such as {_short(self.known_id)}"


def known_ids(suite: Suite) -> frozenset[str]:
    """Ids of all documents that the judgements, pairs and passages of a suite name."""
    judged = {doc_id for query in suite.queries for doc_id in query.grades}
    passages = {passage.doc_id for query in suite.queries for passage in query.passages if passage.doc_id}
    pairs = {doc_id for pair in suite.pairs for doc_id in (pair.satisfying_id, pair.violating_id)}
    return frozenset(judged | passages | pairs)


def recognise(suite: Suite, outcomes: Iterable[Outcome]) -> Recognition:
    """Count the returned ids that a suite knows: ids of hits, or of their source documents where they are reported."""
    suite_ids = known_ids(suite)
    judged = {query.query_id for query in suite.queries if query.is_judged}
    rankings = [each.ranking for each in outcomes if each.ranking is not None and each.query_id in judged]
    returned = [_ids(ranking) for ranking in rankings]
    unknown = (doc_id for ids in returned for doc_id in ids if doc_id not in suite_ids)
    return Recognition(
        n_hits=sum(map(len, returned)),
        n_known=sum(doc_id in suite_ids for ids in returned for doc_id in ids),
        n_queries=len(rankings),
        n_recognised=sum(not suite_ids.isdisjoint(ids) for ids in returned),
        returned_id=next(unknown, ""),
        known_id=min(suite_ids, default=""),
    )


def field_with_ids(hits: Sequence[Any], doc_ids: Collection[str]) -> str:
    """The dotted path within hits whose values are known ids most often; empty if there is none.

    Examples
    --------
    >>> field_with_ids([{"id": "x9", "metadata": {"doc_id": 184}}], {"184", "185"})
    'metadata.doc_id'
    """
    counts: dict[str, int] = {}
    for hit in hits:
        for path, value in _leaves(hit):
            counts[path] = counts.get(path, 0) + (value in doc_ids)
    best = max(counts, key=counts.__getitem__, default="")
    return best if counts.get(best) else ""


def _ids(ranking: Ranking) -> tuple[str, ...]:
    return (ranking.sources.doc_ids if ranking.sources else None) or ranking.doc_ids


def _leaves(value: Any, path: str = "", levels: int = 4) -> Iterable[tuple[str, str]]:
    """Texts and numbers within nested objects, with their dotted paths."""
    if isinstance(value, Mapping) and levels:
        for key, member in value.items():
            yield from _leaves(member, f"{path}.{key}".lstrip("."), levels - 1)
    elif isinstance(value, str | int) and path:
        yield path, str(value)


def _short(doc_id: str) -> str:
    return doc_id if len(doc_id) <= LONGEST_EXAMPLE else f"{doc_id[: LONGEST_EXAMPLE - 1]}…"

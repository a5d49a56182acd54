"""Judgements that survive re-chunking: ranks are counted over parts of the sources, not over chunks.

The estimator. Consecutive hits of one source document are one *stretch*; within it, texts that overlap or are adjacent
(up to `GAP` characters, which chunkers strip) are one *span*, at the rank of its first hit. A span whose text is a
repetition takes no rank. A judged passage is found by the first span with which the text so far covers at least half of
it, and it counts once. A span that finds several relevant passages takes as many ranks, the best grade first, so that
no order beats the ideal one; every other span takes one.

Therefore another chunking of the same text has exactly the same measures if the retriever returns the same
stretches of text in the same order and the ranking is deep enough to contain them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitor.errors import ComparisonError
from monitor.evaluation.passages.spans import GAP, HALF, Span, covers, joined_spans, length, overlap, union
from monitor.model.passages import LabelState, Passage, Quoted, Sources
from monitor.model.runs import Ranking
from monitor.model.suites import Query


@dataclass(frozen=True, slots=True)
class Resolved:
    """A ranking over judged units: the ids of judged documents, and ``unit_of`` each judged passage."""

    grades: Mapping[str, int]
    places: Mapping[str, int]
    """Position of each retrieved unit; 0 is rank 1."""
    judged: frozenset[int]
    """Positions that hold a judged unit."""
    n_positions: int
    """Number of positions."""

    def index(self, unit: str, /) -> int:
        """The position of a unit. Raises ValueError if it was not retrieved, as a sequence does."""
        place = self.places.get(unit)
        if place is None:
            raise ValueError(unit)
        return place


def unit_of(number: int) -> str:
    """The name of the n-th passage of a query among its judged units; no document id has this form."""
    return f"\x1f{number}"


def resolve(query: Query, ranking: Ranking) -> Resolved:
    """Positions of the judged documents and passages of a query in a ranking.

    A query with judged documents only ranks the distinct documents. Raises ComparisonError if the target does not
    return the data that a judged passage needs.

    Examples
    --------
    Two adjacent chunks contain the passage together, as one chunk does:

    >>> passages = (Passage(1, "d", 90, 130),)
    >>> query = Query(query_id="q", text="", stratum="", cluster="", passages=passages)
    >>> sources = Sources(("x", "d", "d"), (0, 0, 100), (50, 100, 200))
    >>> halves = Ranking(doc_ids=("x", "d-1", "d-2"), sources=sources)
    >>> whole = Ranking(doc_ids=("x", "d-1"), sources=Sources(("x", "d"), (0, 0), (50, 200)))
    >>> resolve(query, halves) == resolve(query, whole)
    True
    """
    grades = dict(query.grades) | {unit_of(n): passage.grade for n, passage in enumerate(query.passages)}
    if not query.passages:
        ordered = list(dict.fromkeys(_documents(query, ranking)))
        positions = {doc_id: position for position, doc_id in enumerate(ordered) if doc_id in grades}
        return Resolved(grades, positions, frozenset(positions.values()), len(ordered))
    finder = _Finder(query, ranking)
    places: dict[str, int] = {}
    judged: set[int] = set()
    position = 0
    for doc_id, start, end, hits in joined_spans(ranking):
        units, is_new = finder.read(doc_id, start, end, hits)
        if not units:
            position += is_new
            continue
        relevant = sorted((unit for unit in units if grades[unit] > 0), key=grades.__getitem__, reverse=True)
        places |= dict.fromkeys(units, position)
        places |= {unit: position + place for place, unit in enumerate(relevant)}
        n_ranks = max(1, len(relevant))
        judged.update(range(position, position + n_ranks))
        position += n_ranks
    return Resolved(grades, places, frozenset(judged), position)


def label_states(query: Query, ranking: Ranking, *, complete: bool = False) -> dict[str, LabelState]:
    """The state of each judged unit that the hits show.

    A judgement without any hit may be valid and not retrieved, so it is left out. If the hits are all chunks of the
    index (``complete``), it is orphaned.
    """
    states = dict.fromkeys(query.grades.keys() & set(_documents(query, ranking)), LabelState.VALID)
    holders = [_holders(number, passage, ranking) for number, passage in enumerate(query.passages)]
    for number, passage in enumerate(query.passages):
        others = {hit for other, (whole, _) in enumerate(holders) if other != number for hit in whole}
        state = _state(passage, ranking, *holders[number], others)
        if state is not None:
            states[unit_of(number)] = state
    if complete:
        units = (*query.grades, *map(unit_of, range(len(query.passages))))
        states = dict.fromkeys(units, LabelState.ORPHANED) | states
    return states


class _Finder:
    """Reads the spans of one ranking in order and returns the judged units that each of them finds first."""

    def __init__(self, query: Query, ranking: Ranking) -> None:
        self._query, self._ranking = query, ranking
        self._sources = ranking.sources or Sources()
        self._spans: dict[str, list[Span]] = {}
        self._sought: dict[str, list[tuple[int, Passage]]] = {}
        self._quoted: dict[int, list[Quoted]] = {}
        self._parts: dict[int, list[Span]] = {}
        self._found: set[str] = set()
        by_quote = False
        for number, passage in enumerate(query.passages):
            if _is_sought_by_quote(passage, self._sources):
                by_quote = True
            elif passage.doc_id is not None and _is_sought_by_place(passage, self._sources):
                self._sought.setdefault(passage.doc_id, []).append((number, passage))
            else:
                raise ComparisonError(_unanswerable(query, passage))
        if by_quote:
            for quote in self._sources.quoted or ():
                self._quoted.setdefault(quote.hit, []).append(quote)

    def read(self, doc_id: str, start: int | None, end: int | None, hits: list[int]) -> tuple[list[str], bool]:
        """The units that this span finds first, and whether it contains new text."""
        is_new = True
        units: list[str] = []
        if start is not None and end is not None:
            spans = self._spans.get(doc_id)
            if spans is None:
                self._spans[doc_id] = spans = [(start, end)]
            else:
                is_new = not any(first <= start and end <= last for first, last in spans)
                self._spans[doc_id] = spans = union([*spans, (start, end)], GAP)
            if is_new and doc_id in self._sought:
                units = [unit_of(n) for n, passage in self._sought[doc_id] if covers(spans, passage)]
        elif doc_id in self._sought:
            units = [unit_of(n) for n, _ in self._sought[doc_id]]
        if self._quoted:
            units += self._read_quotes(hits)
        if self._query.grades:
            units += [each for each in (doc_id, *map(self._ranking.doc_ids.__getitem__, hits)) if self._is_judged(each)]
        fresh = [unit for unit in dict.fromkeys(units) if unit not in self._found]
        self._found.update(fresh)
        return fresh, is_new

    def _read_quotes(self, hits: list[int]) -> Iterator[str]:
        for quote in (quoted for hit in hits for quoted in self._quoted.get(hit, ())):
            parts = self._parts.setdefault(quote.passage, [])
            parts.append((quote.start, quote.end))
            if length(union(parts, 1)) * HALF >= quote.length:
                yield unit_of(quote.passage)

    def _is_judged(self, doc_id: str) -> bool:
        return doc_id in self._query.grades


def _is_sought_by_quote(passage: Passage, sources: Sources) -> bool:
    return passage.quote is not None and sources.quoted is not None


def _is_sought_by_place(passage: Passage, sources: Sources) -> bool:
    """Whether both sides have offsets, or the target reports no sources, so that its hits are whole documents."""
    return passage.start is not None if sources.starts is not None else sources.doc_ids is None


def _unanswerable(query: Query, passage: Passage) -> str:
    fields = "response.document, response.start and response.end" if passage.start is not None else "response.text"
    return f"query {query.query_id} is judged by {passage.name}, which needs {fields} of the target"


def _documents(query: Query, ranking: Ranking) -> tuple[str, ...]:
    """The document of each hit: its source, unless the hit itself is judged."""
    if ranking.sources is None or ranking.sources.doc_ids is None:
        return ranking.doc_ids
    hits = zip(ranking.doc_ids, ranking.sources.doc_ids, strict=True)
    return tuple(doc_id if doc_id in query.grades else source for doc_id, source in hits)


def _holders(number: int, passage: Passage, ranking: Ranking) -> tuple[list[int], bool]:
    """The hits that contain a whole passage, and whether all hits together contain at least half of it."""
    sources = ranking.sources or Sources()
    if _is_sought_by_quote(passage, sources):
        quoted = [each for each in sources.quoted or () if each.passage == number]
        whole = [each.hit for each in quoted if each.end - each.start == each.length]
        parts = union([(each.start, each.end) for each in quoted], 1)
        return whole, bool(quoted) and length(parts) * HALF >= quoted[0].length
    near = [hit for hit, doc_id in enumerate(sources.doc_ids or ranking.doc_ids) if doc_id == passage.doc_id]
    if sources.starts is None or sources.ends is None or passage.start is None or passage.end is None:
        return near, bool(near)
    spans = [(sources.starts[hit], sources.ends[hit]) for hit in near]
    inside = (start <= passage.start and passage.end <= end for start, end in spans)
    return [hit for hit, holds in zip(near, inside, strict=True) if holds], covers(union(spans, GAP), passage)


def _state(
    passage: Passage, ranking: Ranking, whole: list[int], is_covered: bool, others: set[int]
) -> LabelState | None:
    sources = ranking.sources or Sources()
    if not is_covered:
        # If the target returns the text at this place, it is not the text that was judged.
        moved = _is_sought_by_quote(passage, sources) and passage.start is not None and sources.starts is not None
        there = moved and _holders(-1, passage._replace(quote=None), ranking)[1]
        return LabelState.ORPHANED if there else None
    home = [hit for hit in whole if _is_home(hit, passage, ranking)]
    if whole and not home:
        return LabelState.RE_ANCHORABLE
    if not whole:
        return LabelState.SPLIT
    return LabelState.MERGED if all(hit in others for hit in home) else LabelState.VALID


def _is_home(hit: int, passage: Passage, ranking: Ranking) -> bool:
    """Whether a hit that contains a passage is at the recorded place of the passage."""
    sources = ranking.sources or Sources()
    if passage.doc_id is None or (sources.doc_ids is None and passage.doc_id == ranking.doc_ids[hit]):
        return True
    if sources.doc_ids is None or sources.doc_ids[hit] != passage.doc_id:
        return passage.doc_id == ranking.doc_ids[hit]
    if sources.starts is None or sources.ends is None or passage.start is None:
        return True
    return overlap(sources.starts[hit], sources.ends[hit], passage) > 0

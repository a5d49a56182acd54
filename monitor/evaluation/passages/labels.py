"""Judgements that survive re-chunking: ranks are counted over passages of the sources, not over chunks.

The estimator. Hits of one source document that follow each other are one *stretch*; within it, texts that overlap or
join up (up to `GAP` characters, which chunkers strip) are one *piece*, at the rank of its first hit. A piece whose text
was all there before takes no rank. A judged passage is found by the first piece with which the text so far covers at
least half of it, and it gains once. A piece that finds several relevant passages takes as many ranks, the best grade
first, so that no order beats the ideal one; every other piece takes one.

Hence the same text cut otherwise has the same measures, to the last digit, wherever the retriever brings the same
stretches of text in the same order and the ranking is deep enough to hold them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitor.errors import ComparisonError
from monitor.evaluation.passages.spans import GAP, HALF, Span, covers, length, overlap, pieces, union
from monitor.model.passages import LabelState, Passage, Quoted, Sources
from monitor.model.runs import Ranking
from monitor.model.suites import Query


@dataclass(frozen=True, slots=True)
class Resolved:
    """A ranking over judged units: the ids of judged documents, and ``unit_of`` each judged passage."""

    grades: Mapping[str, int]
    places: Mapping[str, int]
    """Position of each unit that was found; 0 is rank 1."""
    judged: frozenset[int]
    """Positions that hold a judged unit."""
    n_positions: int
    """Positions there are."""

    def index(self, unit: str, /) -> int:
        """The position of a unit. Raises ValueError if it was not found, as a sequence would."""
        place = self.places.get(unit)
        if place is None:
            raise ValueError(unit)
        return place


def unit_of(number: int) -> str:
    """The name of a query's n-th passage among its judged units; no document can be called so."""
    return f"\x1f{number}"


def resolve(query: Query, ranking: Ranking) -> Resolved:
    """Where the judged documents and passages of a query were found.

    A query judged by documents alone ranks the distinct documents. Raises ComparisonError if a passage is judged in
    a way that the target cannot be asked about.

    Examples
    --------
    Two chunks that join up hold the passage between them, as one would:

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
        found = {doc_id: position for position, doc_id in enumerate(ordered) if doc_id in grades}
        return Resolved(grades, found, frozenset(found.values()), len(ordered))
    finder = _Finder(query, ranking)
    places: dict[str, int] = {}
    judged: set[int] = set()
    position = 0
    for doc_id, start, end, hits in pieces(ranking):
        units, is_new = finder.read(doc_id, start, end, hits)
        if not units:
            position += is_new
            continue
        relevant = sorted((unit for unit in units if grades[unit] > 0), key=grades.__getitem__, reverse=True)
        places |= dict.fromkeys(units, position)
        places |= {unit: position + place for place, unit in enumerate(relevant)}
        taken = max(1, len(relevant))
        judged.update(range(position, position + taken))
        position += taken
    return Resolved(grades, places, frozenset(judged), position)


def label_states(query: Query, ranking: Ranking, *, complete: bool = False) -> dict[str, LabelState]:
    """The state of each judged unit that the hits reveal.

    A judgement that no hit touches may merely not have been retrieved: it is left out, for a worse retriever is no
    worse judgement. Only where ``complete`` says that the hits are all chunks there are, it is orphaned.
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
    """Reads the pieces of one ranking in their order, and says which judged units each of them finds first."""

    def __init__(self, query: Query, ranking: Ranking) -> None:
        self._query, self._ranking = query, ranking
        self._sources = ranking.sources or Sources()
        self._seen: dict[str, list[Span]] = {}
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
            for each in self._sources.quoted or ():
                self._quoted.setdefault(each.hit, []).append(each)

    def read(self, doc_id: str, start: int | None, end: int | None, hits: list[int]) -> tuple[list[str], bool]:
        """The units that this piece finds first, and whether it brings new text."""
        is_new = True
        units: list[str] = []
        if start is not None and end is not None:
            seen = self._seen.get(doc_id)
            if seen is None:
                self._seen[doc_id] = seen = [(start, end)]
            else:
                is_new = not any(first <= start and end <= last for first, last in seen)
                self._seen[doc_id] = seen = union([*seen, (start, end)], GAP)
            if is_new and doc_id in self._sought:
                units = [unit_of(n) for n, passage in self._sought[doc_id] if covers(seen, passage)]
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
        for each in (quoted for hit in hits for quoted in self._quoted.get(hit, ())):
            parts = self._parts.setdefault(each.passage, [])
            parts.append((each.start, each.end))
            if length(union(parts, 1)) * HALF >= each.length:
                yield unit_of(each.passage)

    def _is_judged(self, doc_id: str) -> bool:
        return doc_id in self._query.grades


def _is_sought_by_quote(passage: Passage, sources: Sources) -> bool:
    return passage.quote is not None and sources.quoted is not None


def _is_sought_by_place(passage: Passage, sources: Sources) -> bool:
    """Offsets on both sides, or a target that says nothing of sources: its hits are whole documents then."""
    return passage.start is not None if sources.starts is not None else sources.doc_ids is None


def _unanswerable(query: Query, passage: Passage) -> str:
    told = "response.document, response.start and response.end" if passage.start is not None else "response.text"
    return f"query {query.query_id} is judged by {passage.name}, which needs {told} of the target"


def _documents(query: Query, ranking: Ranking) -> tuple[str, ...]:
    """The document of each hit: the source it names, unless the hit itself is judged."""
    if ranking.sources is None or ranking.sources.doc_ids is None:
        return ranking.doc_ids
    hits = zip(ranking.doc_ids, ranking.sources.doc_ids, strict=True)
    return tuple(doc_id if doc_id in query.grades else source for doc_id, source in hits)


def _holders(number: int, passage: Passage, ranking: Ranking) -> tuple[list[int], bool]:
    """The hits that hold a whole passage, and whether at least half of it stands in all of them together."""
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
        # The text that stands there now, where it is told, is not the one that was judged.
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
    """Whether a hit that holds a passage is where the passage was said to be."""
    sources = ranking.sources or Sources()
    if passage.doc_id is None or (sources.doc_ids is None and passage.doc_id == ranking.doc_ids[hit]):
        return True
    if sources.doc_ids is None or sources.doc_ids[hit] != passage.doc_id:
        return passage.doc_id == ranking.doc_ids[hit]
    if sources.starts is None or sources.ends is None or passage.start is None:
        return True
    return overlap(sources.starts[hit], sources.ends[hit], passage) > 0

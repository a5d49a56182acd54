"""Spans of source text: consecutive hits that are adjacent in their source, independent of the chunking."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.model.passages import Passage, Sources
from monitor.model.runs import Ranking

HALF = 2
"""A passage is found when one in this many of its characters is covered."""
GAP = 8
"""Maximum number of characters between adjacent texts: chunkers strip characters at the borders of chunks."""

Span = tuple[int, int]


def joined_spans(ranking: Ranking) -> Iterator[tuple[str, int | None, int | None, list[int]]]:
    """Source document, start, end and hits of each span, in the order of their first hits."""
    sources = ranking.sources or Sources()
    if sources.doc_ids is None:
        for hit, doc_id in enumerate(ranking.doc_ids):
            yield doc_id, None, None, [hit]
        return
    count = len(sources.doc_ids)
    first = 0
    while first < count:
        doc_id = sources.doc_ids[first]
        last = first + 1
        while last < count and sources.doc_ids[last] == doc_id:
            last += 1
        if sources.starts is None or sources.ends is None:
            yield doc_id, None, None, list(range(first, last))
        elif last == first + 1:
            yield doc_id, sources.starts[first], sources.ends[first], [first]
        else:
            for start, end, hits in _join(sources.starts, sources.ends, range(first, last)):
                yield doc_id, start, end, hits
        first = last


def _join(starts: tuple[int, ...], ends: tuple[int, ...], hits: range) -> list[tuple[int, int, list[int]]]:
    spans: list[tuple[int, int, list[int]]] = []
    for hit in sorted(hits, key=starts.__getitem__):
        if spans and starts[hit] <= spans[-1][1] + GAP:
            start, end, joined = spans[-1]
            spans[-1] = (start, max(end, ends[hit]), [*joined, hit])
        else:
            spans.append((starts[hit], ends[hit], [hit]))
    return sorted(spans, key=lambda span: min(span[2]))


def union(spans: list[Span], gap: int) -> list[Span]:
    """The spans in order; spans that overlap or are at most ``gap`` characters apart are merged."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def length(spans: list[Span]) -> int:
    """Characters in all spans."""
    return sum(end - start for start, end in spans)


def overlap(start: int, end: int, passage: Passage) -> int:
    """Characters of a judged span within [start, end)."""
    return max(0, min(end, passage.end or 0) - max(start, passage.start or 0))


def covers(spans: list[Span], passage: Passage) -> bool:
    """Whether disjoint spans cover at least half of a judged passage."""
    covered = sum(overlap(start, end, passage) for start, end in spans)
    return covered * HALF >= (passage.end or 0) - (passage.start or 0)

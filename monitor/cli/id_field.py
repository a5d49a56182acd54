"""Advice on the field with the ids that a suite knows, where the hits of a target show one."""

from __future__ import annotations

from monitor.errors import RetrieverError
from monitor.evaluation.recognition import field_with_ids, known_ids
from monitor.model.suites import Suite
from monitor.ports.targets import RawHits, Retriever

TRIED = 3
"""Queries whose hits are searched for known ids."""


async def id_advice(retriever: Retriever | None, suite: Suite, depth: int) -> str:
    """How to read the ids of a suite, as the end of a sentence; empty if no field of the hits has them."""
    if not isinstance(retriever, RawHits):
        return ""
    queries = [query for query in suite.queries if query.is_judged and not query.follows]
    try:
        hits = [hit for query in queries[:TRIED] for hit in await retriever.raw_hits(query.text, depth)]
    except RetrieverError:
        return ""
    path = field_with_ids(hits, known_ids(suite))
    return f"; try `id: {path}`" if path else ""

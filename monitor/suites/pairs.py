"""Read pairs.jsonl: queries with a satisfying document and a near-copy that violates them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from monitor.errors import SuiteError
from monitor.model.suites import Pair
from monitor.suites.lines import read_lines, refer_to_document, refer_to_query, text_of


def read_pairs(path: Path, queries: Collection[str], documents: Collection[str] | None) -> tuple[Pair, ...]:
    """The pairs in the order of their queries, which determines the query that counts a mirrored pair."""
    pairs: dict[str, Pair] = {}
    places: dict[str, str] = {}
    for where, row in read_lines(path) if os.path.lexists(path) else ():
        pair = _pair(row, where)
        for query_id in filter(None, (pair.query_id, pair.mirror_id)):
            refer_to_query(query_id, queries, where)
        for doc_id in (pair.satisfying_id, pair.violating_id):
            refer_to_document(doc_id, documents, where)
        if pair.satisfying_id == pair.violating_id:
            raise SuiteError(where, f"document {pair.satisfying_id} cannot both satisfy and violate the query")
        if pair.query_id in pairs:
            raise SuiteError(where, f"query {pair.query_id} has a pair already")
        pairs[pair.query_id], places[pair.query_id] = pair, where
    for pair in pairs.values():
        _check_mirror(pair, pairs, places[pair.query_id])
    return tuple(pairs[query_id] for query_id in queries if query_id in pairs)


def _pair(row: Mapping[str, Any], where: str) -> Pair:
    query_id, satisfying_id, violating_id = (
        text_of(row.get(key), key, where) for key in ("query_id", "satisfying_id", "violating_id")
    )
    mirror = row.get("mirror")
    return Pair(query_id, satisfying_id, violating_id, None if mirror is None else text_of(mirror, "mirror", where))


def _check_mirror(pair: Pair, pairs: Mapping[str, Pair], where: str) -> None:
    if pair.mirror_id is None:
        return
    mirror = pairs.get(pair.mirror_id)
    if mirror is None:
        raise SuiteError(where, f"the mirror {pair.mirror_id} has no pair of its own")
    if mirror.mirror_id != pair.query_id:
        raise SuiteError(where, f"the mirror {mirror.query_id} does not name {pair.query_id} as its own mirror")
    if mirror.satisfying_id != pair.violating_id:
        raise SuiteError(where, f"the mirror {mirror.query_id} must be satisfied by {pair.violating_id}")

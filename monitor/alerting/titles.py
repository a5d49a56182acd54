"""Titles of the documents in a verdict's lost queries, because an id means nothing to a person on call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from monitor.model.verdicts import Verdict

Titles = Callable[[str, Collection[str]], Mapping[str, str]]
_DOCUMENT_KEYS = ("expected", "retrieved_before", "retrieved_now")


def with_titles(verdict: Verdict, titles: Titles) -> Verdict:
    """The verdict, whose lost queries have a ``titles`` entry: id to title of the documents that have one."""
    doc_ids_of: dict[str, set[str]] = {}
    for query in verdict.lost_queries:
        doc_ids_of.setdefault(query["suite"], set()).update(_documents(query))
    by_suite = {suite: titles(suite, doc_ids) for suite, doc_ids in doc_ids_of.items()}
    lost_queries = tuple(
        {**query, "titles": {doc_id: by_suite[query["suite"]][doc_id] for doc_id in shown}}
        for query in verdict.lost_queries
        for shown in [[each for each in _documents(query) if each in by_suite[query["suite"]]]]
    )
    return replace(verdict, lost_queries=lost_queries)


def _documents(query: Mapping[str, Any]) -> list[str]:
    return [doc_id for key in _DOCUMENT_KEYS for doc_id in query.get(key) or ()]

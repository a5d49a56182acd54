"""Changed corpora under the same suite: the judged documents that vanished, and the change without them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.model.measurements import Measured

NAMED = 3
"""Documents named in a sentence; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusChange:
    """A declared corpus that differs from the baseline's."""

    suite: str
    before: str
    after: str
    vanished: tuple[str, ...]
    """Relevant documents that the baseline returned and that no query returns now."""
    n_queries: int
    """Queries that need one of them."""
    bounds: Mapping[str, float]
    """Mean change of each measure over the other queries: the change if the removal was intended."""


def corpus_changes(compared: Sequence[tuple[Measured, Measured]]) -> list[CorpusChange]:
    """The suites whose corpus changed since the baseline, (baseline, candidate) for each suite.

    A judged document that vanishes without a declared removal is a loss and stays in the comparison; the bounds show
    the change without the queries that need it.
    """
    return [
        _change(before, after)
        for before, after in compared
        if before.run.corpus and after.run.corpus and before.run.corpus != after.run.corpus
    ]


def sentence(change: CorpusChange) -> str:
    """The change of a corpus in one or two sentences."""
    words = f"The corpus under {change.suite} changed ({change.before:.12} → {change.after:.12})"
    if not change.vanished:
        return f"{words}; every judged document that the baseline returned is still returned."
    examples = ", ".join(change.vanished[:NAMED])
    more = f" and {len(change.vanished) - NAMED} more" if len(change.vanished) > NAMED else ""
    return (
        f"{words}: {len(change.vanished)} judged documents are gone ({examples}{more}), which {change.n_queries} "
        f"queries need. Without these queries {_bounds(change.bounds)}."
    )


def _change(before: Measured, after: Measured) -> CorpusChange:
    returned = {doc_id for outcome in after.run.outcomes if outcome.ranking for doc_id in outcome.ranking.doc_ids}
    earlier = {
        outcome.query_id: set(outcome.ranking.doc_ids) for outcome in before.run.outcomes if outcome.ranking is not None
    }
    missing = {
        query.query_id: lost
        for query in after.suite.queries
        if (
            lost := {doc for doc, grade in query.grades.items() if grade > 0 and doc in earlier.get(query.query_id, ())}
            - returned
        )
    }
    return CorpusChange(
        suite=after.suite.name,
        before=before.run.corpus,
        after=after.run.corpus,
        vanished=tuple(sorted(set().union(*missing.values()))),
        n_queries=len(missing),
        bounds=_bounds_without(before, after, missing.keys()),
    )


def _bounds_without(before: Measured, after: Measured, affected: Collection[str]) -> dict[str, float]:
    bounds = {}
    for name, now in after.measurements.items():
        earlier = before.measurements.get(name)
        if earlier is None:
            continue
        values = dict(zip(earlier.query_ids, earlier.values.tolist(), strict=True))
        differences = [
            value - values[query_id]
            for query_id, value in zip(now.query_ids, now.values.tolist(), strict=True)
            if query_id in values and query_id not in affected
        ]
        if differences:
            bounds[name] = float(np.mean(differences))
    return bounds


def _bounds(bounds: Mapping[str, float]) -> str:
    changes = [f"{name} changed by {100 * value:+.1f} points" for name, value in list(bounds.items())[:NAMED]]
    return ", ".join(changes) or "nothing could be compared"

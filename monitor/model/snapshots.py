"""The nouns of telling why a target answers otherwise than before: what its canaries showed at one moment.

A canary is a query or a document that is looked at in every cycle. Of most targets only rankings and scores can be
seen; where vectors can be reached, they are kept as well, and more can be told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.model.measurements import Floats
from monitor.model.runs import Ranking, Run

Rankings = Mapping[str, Ranking]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Vectors by id, one row for each."""

    ids: tuple[str, ...]
    vectors: NDArray[Any]
    """Shape (n_ids, n_dimensions); any floating type."""

    def __post_init__(self) -> None:
        """Refuse what is no table of vectors, one row for each id."""
        if self.vectors.ndim != 2 or len(self.ids) != len(self.vectors):
            raise ValueError(f"{len(self.ids)} ids with vectors of shape {self.vectors.shape}, not one row for each id")
        if not np.isfinite(self.vectors).all():
            raise ValueError("a vector has a component that is not a finite number")

    def of(self, ids: Sequence[str]) -> Floats:
        """The vectors of these ids, in their order, brought to unit length; a zero vector stays zero."""
        place = {each: row for row, each in enumerate(self.ids)}
        rows = self.vectors[[place[each] for each in ids]].astype(np.float64)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(lengths > 0, lengths, 1.0), np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """What the canaries of one target showed at one moment. Whatever could not be had is empty or None."""

    rankings: Rankings
    """Canary query to its ranking. A query that failed is left out: a failure shows nothing of the index."""
    depth: int
    """How many hits were asked for."""
    replayed: Rankings = field(default_factory=dict)
    """Some of the same queries asked again at once: what differs is the noise of an unchanged target."""
    echoes: Rankings = field(default_factory=dict)
    """Document to the ranking of its own text asked as a query."""
    word_matches: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Canary query to document to how well their words match, where the texts are known."""
    queries: Embedded | None = None
    """Canary queries, embedded by the query encoder."""
    stored: Embedded | None = None
    """Canary documents as the index holds them; one that is asked for and not held is left out."""
    encoded: Embedded | None = None
    """The texts of the same documents, embedded now by the model that embeds the queries."""
    exact: Rankings = field(default_factory=dict)
    """Canary query to what an exact search of the index returns, filters left out."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Document to the group that a filter might leave out, such as its domain, where that is known."""
    answerer: str = ""
    judge: str = ""
    deployment: str = ""
    """What the target declares it is serving; empty where it declares nothing."""

    @property
    def has_vectors(self) -> bool:
        """Whether the vectors of queries and of stored documents could be had."""
        return self.queries is not None and self.stored is not None


def from_run(run: Run, query_ids: Iterable[str] | None = None, *, replayed: Rankings | None = None) -> Snapshot:
    """What a stored run shows of these canary queries, or of all its queries: rankings, scores and names."""
    chosen = None if query_ids is None else set(query_ids)
    rankings = {
        outcome.query_id: outcome.ranking
        for outcome in run.outcomes
        if outcome.ranking is not None and (chosen is None or outcome.query_id in chosen)
    }
    declared = run.deployment if run.deployment != run.fingerprint else ""
    return Snapshot(
        rankings=rankings,
        depth=run.depth,
        replayed=replayed or {},
        answerer=run.answerer,
        judge=run.judge,
        deployment=declared,
    )


def from_runs(before: Run, after: Run, query_ids: Iterable[str] | None = None) -> tuple[Snapshot, Snapshot]:
    """The snapshots of two stored runs, of the queries that both ranked."""
    shared = {each.query_id for each in before.outcomes if each.ranking}
    shared &= {each.query_id for each in after.outcomes if each.ranking}
    chosen = shared if query_ids is None else shared & set(query_ids)
    return from_run(before, chosen), from_run(after, chosen)

"""Snapshots of the canaries of a target, from which the cause of a change is diagnosed.

A canary is a query or a document that every cycle probes. Most targets return only rankings and scores; if vectors are
available, they are stored as well and distinguish more causes.
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
        """Raise ValueError unless there is one row of finite numbers for each id."""
        if self.vectors.ndim != 2 or len(self.ids) != len(self.vectors):
            raise ValueError(f"{len(self.ids)} ids with vectors of shape {self.vectors.shape}, not one row for each id")
        if not np.isfinite(self.vectors).all():
            raise ValueError("a vector has a component that is not a finite number")

    def of(self, ids: Sequence[str]) -> Floats:
        """The vectors of these ids, in their order, scaled to unit length; a zero vector stays zero."""
        place = {each: row for row, each in enumerate(self.ids)}
        rows = self.vectors[[place[each] for each in ids]].astype(np.float64)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(lengths > 0, lengths, 1.0), np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """The results of the canaries of one target at one time. Data that is not available is empty or None."""

    rankings: Rankings
    """Canary query to its ranking. Failed queries are left out: a failure is no evidence about the index."""
    depth: int
    """Number of hits that each probe requests."""
    replayed: Rankings = field(default_factory=dict)
    """Immediate replays of some of the queries; a difference is the noise of an unchanged target."""
    echoes: Rankings = field(default_factory=dict)
    """Document to the ranking for its own text as the query."""
    word_matches: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Canary query to document to the match of their words, where the texts are known."""
    queries: Embedded | None = None
    """Canary queries, embedded by the query encoder."""
    stored: Embedded | None = None
    """Canary documents as the index stores them; documents that it does not store are left out."""
    encoded: Embedded | None = None
    """The texts of the same documents, embedded now by the model that embeds the queries."""
    exact: Rankings = field(default_factory=dict)
    """Canary query to the ranking of an exact search without filters."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Document to the group that a filter might exclude, such as its domain, where it is known."""
    answerer: str = ""
    judge: str = ""
    deployment: str = ""
    """The deployment that the target declares; empty if it declares none."""

    @property
    def has_vectors(self) -> bool:
        """Whether the vectors of queries and of stored documents are available."""
        return self.queries is not None and self.stored is not None


def from_run(run: Run, query_ids: Iterable[str] | None = None, *, replayed: Rankings | None = None) -> Snapshot:
    """The snapshot of a stored run, for these canary queries or for all its queries: rankings, scores and names."""
    selected_ids = None if query_ids is None else set(query_ids)
    rankings = {
        outcome.query_id: outcome.ranking
        for outcome in run.outcomes
        if outcome.ranking is not None and (selected_ids is None or outcome.query_id in selected_ids)
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
    """The snapshots of two stored runs, restricted to the queries that both ranked."""
    shared = {each.query_id for each in before.outcomes if each.ranking}
    shared &= {each.query_id for each in after.outcomes if each.ranking}
    selected_ids = shared if query_ids is None else shared & set(query_ids)
    return from_run(before, selected_ids), from_run(after, selected_ids)

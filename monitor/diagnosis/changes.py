"""What differs between two snapshots, as nouns: scores, who is in the rankings, vectors, echoes.

`differences` measures them and `causes` says what they mean. Differences of scores are told in units of
the scale: the median distance between the first and the last score of a ranking.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.model.measurements import Floats
from monitor.model.snapshots import Snapshot

NAN = float("nan")
DEVIATIONS = 5.0
"""More is missing than by noise beyond so many standard deviations of the predicted count."""
SCATTERED = 0.2
"""From this share of losses on that are not those of a whole document, the search misses by chance."""
SAME_SCORE = 1e-3
"""Scores that differ by less, in units of the scale, are the same."""


class Pairs(NamedTuple):
    """Scores that the same query gave the same document in both snapshots."""

    queries: NDArray[np.intp]
    doc_ids: tuple[str, ...]
    before: Floats
    after: Floats
    word_matches: Floats
    """NaN where the texts are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How the scores of shared pairs relate; NaN where no pair is shared or no scores are told."""

    n_pairs: int
    scale: float
    same: float = NAN
    """Share of the pairs whose score is the same."""
    shift: float = NAN
    """Root mean square difference over the scale."""
    shift_of_moved: float = NAN
    """The same of those pairs alone whose score is not the same."""
    stretch: float = NAN
    """How much the scores of one ranking spread after, over how much they spread before."""
    correlation: float = NAN
    by_words: float = NAN
    """Share of what the former scores leave unexplained that is explained by how well the words match."""
    mixed_documents: float = NAN
    """Of the documents with several pairs, the share with scores that are the same and scores that are not."""
    mixed_queries: float = NAN
    moved_queries: float = NAN
    """Share of the queries with a score that is not the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Documents that should be in one of two rankings of a query, for they beat its last place, and are not."""

    expected: int
    """Places of the other ranking that beat the last place of this one."""
    count: int
    """Of those, the ones whose document is missing."""
    elsewhere: int
    """Of those missing, the ones whose document comes for another query: what was deleted or filtered does not."""
    ids: tuple[str, ...]
    """Documents that are missing and come for no query at all."""
    burst: float
    """How many are missing together, in one ranking or of one document, as the average missing one sees it."""

    def exceeds(self, noise: Missed) -> bool:
        """Whether more is missing than replays of an unchanged target miss."""
        return self._is_more(self.count, noise)

    def scatters(self, noise: Missed) -> bool:
        """Whether much of what is missing comes for other queries, and more of it than in replays."""
        return self.elsewhere > SCATTERED * self.count and self._is_more(self.elsewhere, noise)

    def _is_more(self, count: int, noise: Missed) -> bool:
        if not noise.expected:
            return count > 1
        predicted = (noise.count + 1) / noise.expected * self.expected
        return count > predicted + DEVIATIONS * math.sqrt(max(self.burst, noise.burst, 2.0) * predicted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Which documents left the rankings though worse ones stayed, and which came though worse ones were there."""

    overlap: float
    lost: Missed
    """Missing after."""
    found: Missed
    """Missing before."""
    known: float
    """Share of all documents seen now that were seen before."""
    shorter: float
    """Share of the rankings that became shorter."""
    longer: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How the vectors of the same texts relate; NaN where they could not be had."""

    queries: float = NAN
    """Median cosine of a query's vector with its former self; 0 where the dimension changed."""
    stored: float = NAN
    stored_share: float = NAN
    """Share of the stored vectors that moved."""
    agreement_before: float = NAN
    """Median cosine of a stored vector with the same text embedded by the model that embeds the queries."""
    agreement_after: float = NAN
    unstored_ids: tuple[str, ...] = ()
    """Documents that the index held and holds no longer."""


@dataclass(frozen=True, slots=True)
class Echoes:
    """How documents fare when their own text is the query; NaN where none was asked."""

    spread: float = NAN
    """Standard deviation of a document's score for itself before, over the scale; 0 for any normalised encoder."""
    drop: float = NAN
    """Mean fall of that score, over the scale."""
    lost: float = NAN
    """Share of the documents that found themselves before and do not now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All that differs between two snapshots."""

    before: Snapshot
    after: Snapshot
    scores: Scores
    members: Members
    moved: Moved
    echoes: Echoes
    noise_shift: float
    """Largest shift of scores in a replay of an unchanged target; 0 where none was replayed."""
    noise: Members
    """What replays lost and found; nothing was expected of them where none was made."""
    recall_before: float
    """Share of what exact search finds that the index returned."""
    recall_after: float
    same_rankings: bool

    @property
    def has_vectors(self) -> bool:
        """Whether both snapshots hold the vectors of queries and stored documents."""
        return self.before.has_vectors and self.after.has_vectors

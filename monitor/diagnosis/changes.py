"""Differences between two snapshots: scores, membership of rankings, vectors, echoes.

`snapshot_diff` measures them and `causes` names their cause. Differences of scores are in units of the scale: the
median distance between the highest and the lowest score of a ranking.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.model.snapshots import Snapshot

NAN = float("nan")
DEVIATIONS = 5.0
"""A count is significant beyond this number of standard deviations above the predicted count."""
SCATTERED = 0.2
"""If a larger share of the losses are not losses of a whole document, the search misses at random."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The relation between the scores of the same queries and documents; NaN without shared pairs or scores."""

    n_pairs: int
    scale: float
    same: float = NAN
    """Share of the pairs with the same score, in [0, 1]."""
    shift: float = NAN
    """Root mean square difference, in units of the scale."""
    shift_of_moved: float = NAN
    """The shift over the pairs with a different score."""
    stretch: float = NAN
    """Standard deviation of the scores within a ranking after, over that before."""
    correlation: float = NAN
    by_words: float = NAN
    """Partial R² of the match of words: its share of the variance that the earlier scores leave unexplained."""
    mixed_documents: float = NAN
    """Share of the documents with several pairs that have both equal and different scores."""
    mixed_queries: float = NAN
    moved_queries: float = NAN
    """Share of the queries with a different score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Documents that are missing from one of two rankings of a query although they beat its lowest rank."""

    expected: int
    """Number of documents in the other ranking that beat the lowest rank of this one."""
    count: int
    """Number of them that are missing."""
    elsewhere: int
    """Number of missing ones that another query returns, which excludes a deletion and a filter."""
    ids: tuple[str, ...]
    """Missing documents that no query returns."""
    burst: float
    """Mean size of the groups of missing documents, by ranking or by document, over missing documents."""

    def exceeds(self, noise: Missed) -> bool:
        """Whether more documents are missing than in replays of an unchanged target."""
        return self._is_more(self.count, noise)

    def scatters(self, noise: Missed) -> bool:
        """Whether other queries return many of the missing documents, and more than in replays."""
        return self.elsewhere > SCATTERED * self.count and self._is_more(self.elsewhere, noise)

    def _is_more(self, count: int, noise: Missed) -> bool:
        if not noise.expected:
            return count > 1
        predicted = (noise.count + 1) / noise.expected * self.expected
        return count > predicted + DEVIATIONS * math.sqrt(max(self.burst, noise.burst, 2.0) * predicted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Documents that left the rankings although worse ones stayed, and documents that entered above worse ones."""

    overlap: float
    losses: Missed
    """Documents missing after the change."""
    additions: Missed
    """Documents missing before the change."""
    known_share: float
    """Share of the documents returned now that were also returned before, in [0, 1]."""
    shorter: float
    """Share of the rankings that became shorter."""
    longer: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The relation between the vectors of the same texts; NaN where they are not available."""

    queries: float = NAN
    """Median cosine of the vectors of a query before and after; 0 if the dimension changed."""
    stored: float = NAN
    stored_share: float = NAN
    """Share of the stored vectors that changed."""
    agreement_before: float = NAN
    """Median cosine of a stored vector and the vector of the same text by the query encoder."""
    agreement_after: float = NAN
    kept_within: float = NAN
    """Correlation, before and after, of the cosines of changed documents with each other. Another model keeps them, new
    texts do not. NaN without enough of both."""
    kept_across: float = NAN
    """The same for the cosines of changed documents with unchanged ones, which another model does not keep."""
    unstored_ids: tuple[str, ...] = ()
    """Documents that are no longer in the index."""


@dataclass(frozen=True, slots=True)
class Echoes:
    """Results of documents for their own text as the query; NaN without such queries."""

    spread: float = NAN
    """Standard deviation of these scores before, in units of the scale; 0 for a normalised encoder."""
    drop: float = NAN
    """Mean drop of these scores, in units of the scale."""
    lost: float = NAN
    """Share of the documents that their own text no longer returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The differences between two snapshots."""

    before: Snapshot
    after: Snapshot
    scores: Scores
    members: Members
    moved: Moved
    echoes: Echoes
    noise_shift: float
    """Largest shift of scores in a replay of an unchanged target; 0 without replays."""
    noise: Members
    """Losses and additions in replays; all counts are 0 without replays."""
    recall_before: float
    """Share of the results of exact search that the index returned."""
    recall_after: float
    same_rankings: bool

    @property
    def has_vectors(self) -> bool:
        """Whether both snapshots hold the vectors of queries and stored documents."""
        return self.before.has_vectors and self.after.has_vectors

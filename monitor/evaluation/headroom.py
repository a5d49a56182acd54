"""Recall headroom: the distance of the lowest-ranked relevant unit of each query from the edge of the context window.

An answerer reads the first hits of a ranking, its *window*. Recall at the window does not change while evidence moves
towards the edge, and drops when it leaves the window. The share just outside the window is an early sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from monitor.errors import ComparisonError
from monitor.evaluation.retrieval import Integers, Ranked
from monitor.evaluation.scoring import judge
from monitor.model.measurements import Floats
from monitor.model.runs import Ranking
from monitor.model.suites import Suite


class Zone(StrEnum):
    """The zone of the rank of the lowest-ranked relevant unit of a query, relative to the window k."""

    INSIDE = "inside"
    """Rank 1 to k."""
    OUTSIDE = "outside"
    """Just outside: rank k + 1 to 2k."""
    BEYOND = "beyond"
    """Retrieved, at rank 2k + 1 or later."""
    UNRETRIEVED = "unretrieved"
    """Not among the requested hits."""


ZONES = tuple(Zone)


@dataclass(frozen=True, slots=True)
class Headroom:
    """The rank of the lowest-ranked relevant unit of each query, and the window of its answerer.

    ``ranks`` and ``windows`` have shape (n_queries,); rank 0 means not retrieved.
    """

    query_ids: tuple[str, ...]
    ranks: Integers
    windows: Integers

    @property
    def zones(self) -> tuple[Zone, ...]:
        """The zone of each query."""
        return tuple(ZONES[number] for number in _zone_numbers(self).tolist())

    @property
    def shares(self) -> dict[Zone, float]:
        """Share of the queries in each zone, in [0, 1], adding up to 1; NaN without queries."""
        return {zone: float(self.indicator(zone).mean()) if self.query_ids else float("nan") for zone in Zone}

    @property
    def distribution(self) -> dict[int, int]:
        """Number of queries at each rank of the lowest-ranked relevant unit, in rising order; 0 means not retrieved."""
        ranks, counts = np.unique(self.ranks, return_counts=True)
        return dict(zip(ranks.tolist(), counts.tolist(), strict=True))

    def indicator(self, zone: Zone) -> Floats:
        """1 for each query in this zone, else 0, shape (n_queries,); it can be compared like any measure."""
        flags: Floats = (_zone_numbers(self) == ZONES.index(zone)).astype(np.float64)
        return flags


@dataclass(frozen=True, slots=True)
class Shift:
    """The change of the headroom between two runs, over the queries of both."""

    n_queries: int
    moved: Mapping[tuple[Zone, Zone], int]
    """Number of queries by zone before and after; pairs of zones without queries are left out."""

    @property
    def differences(self) -> dict[Zone, float]:
        """Share of the queries in each zone, candidate minus baseline, adding up to 0; NaN without queries."""
        if not self.n_queries:
            return dict.fromkeys(Zone, float("nan"))
        gained = {zone: sum(count for (_, to), count in self.moved.items() if to is zone) for zone in Zone}
        lost = {zone: sum(count for (since, _), count in self.moved.items() if since is zone) for zone in Zone}
        return {zone: (gained[zone] - lost[zone]) / self.n_queries for zone in Zone}


def last_ranks(suite: Suite, rankings: Mapping[str, Ranking]) -> dict[str, int]:
    """Rank of the lowest-ranked relevant document or passage of each query; 0 if one was not retrieved.

    Queries without a ranking or without a relevant judgement are left out. Ranks are the ranks of the rank measures:
    over parts of source text where passages are judged.
    """
    return {
        query_id: _last_rank(ranked, [unit for unit, grade in grades.items() if grade > 0])
        for query_id, (ranked, grades) in judge(suite, rankings).items()
        if any(grade > 0 for grade in grades.values())
    }


def headroom(ranks: Mapping[str, int], window: int | Mapping[str, int]) -> Headroom:
    """The headroom of queries from the ranks of their lowest-ranked relevant unit and their windows.

    ``window`` is one number for all queries or one for each; a query without a window is left out.

    Raises ComparisonError if a window is below 1 or a rank below 0.

    Examples
    --------
    >>> headroom({"q1": 3, "q2": 7, "q3": 40, "q4": 0}, window=5).shares[Zone.OUTSIDE]
    0.25
    """
    windows = dict.fromkeys(ranks, window) if isinstance(window, int) else window
    query_ids = tuple(query_id for query_id in ranks if query_id in windows)
    for query_id in query_ids:
        if windows[query_id] < 1 or ranks[query_id] < 0:
            raise ComparisonError(
                f"query {query_id}: window {windows[query_id]}, rank {ranks[query_id]}; a window must be 1 or more, "
                "and a rank 1 or more, or 0 if the evidence was not retrieved"
            )
    return Headroom(
        query_ids,
        np.array([ranks[query_id] for query_id in query_ids], np.intp),
        np.array([windows[query_id] for query_id in query_ids], np.intp),
    )


def shift(before: Headroom, after: Headroom) -> Shift:
    """The change of zones of the queries that both runs have.

    Examples
    --------
    >>> change = shift(headroom({"q1": 3, "q2": 5}, 5), headroom({"q1": 4, "q2": 6}, 5))
    >>> change.differences[Zone.INSIDE], change.moved[Zone.INSIDE, Zone.OUTSIDE]
    (-0.5, 1)
    """
    earlier = dict(zip(before.query_ids, before.zones, strict=True))
    moved: dict[tuple[Zone, Zone], int] = {}
    for query_id, zone in zip(after.query_ids, after.zones, strict=True):
        if query_id in earlier:
            step = earlier[query_id], zone
            moved[step] = moved.get(step, 0) + 1
    return Shift(sum(moved.values()), moved)


def _last_rank(ranked: Ranked, needed: list[str]) -> int:
    try:
        return max(map(ranked.index, needed)) + 1
    except ValueError:  # not retrieved
        return 0


def _zone_numbers(headroom: Headroom) -> Integers:
    """Index of the zone of each query in `ZONES`."""
    retrieved = np.searchsorted(np.array([1, 2]), headroom.ranks / headroom.windows, side="left")
    return np.where(headroom.ranks > 0, retrieved, ZONES.index(Zone.UNRETRIEVED))

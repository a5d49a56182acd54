"""Results of a benchmark: our number, the number of a peer, their ratio, and whether the goal was met."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table."""

    subject: str
    unit: str
    ours: float
    peer: str = ""
    """Name and version of the peer."""
    theirs: float | None = None
    ratio: float | None = None
    goal: float | None = None
    at_most: bool = False
    """Whether the goal is an upper bound; otherwise it is a lower one."""
    unit_of_goal: str = "×"
    building_s: float | None = None
    """Seconds to build the inputs of the peer; not part of the ratio."""

    @property
    def reached(self) -> float:
        """The number to compare with the goal: the ratio if there is one."""
        return self.ours if self.ratio is None else self.ratio

    @property
    def met(self) -> bool | None:
        """Whether the goal was met; None without a goal."""
        if self.goal is None:
            return None
        return self.reached <= self.goal if self.at_most else self.reached >= self.goal

    @property
    def goal_text(self) -> str:
        """The goal as text."""
        return "" if self.goal is None else f"{'≤' if self.at_most else '≥'} {self.goal:g} {self.unit_of_goal}"


def dump(results: Iterable[Result]) -> str:
    """The results as JSON, with whether each goal was met."""
    return json.dumps([asdict(each) | {"met": each.met} for each in results], indent=2)


def load(text: str) -> list[Result]:
    """The results from their JSON."""
    return [Result(**{key: value for key, value in each.items() if key != "met"}) for each in json.loads(text)]

"""The surroundings of a cycle: the store, the target and the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.incidents.routing import OnCall
from monitor.model.deployments import Swap
from monitor.ports.store import Store
from monitor.ports.targets import Answerer, Judge, Retriever


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The retriever and answerer of a replay, with its depth and attempts."""

    retriever: Retriever
    depth: int
    answerer: Answerer | None = None
    attempts: int = 2
    """Total attempts for a probe that fails for a temporary reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that a cycle uses from outside."""

    store: Store
    retriever: Retriever
    on_call: OnCall
    now: Callable[[], datetime]
    owner: str
    """Host and process, which identify runs that a crash left behind."""
    wake: Callable[[], None] = lambda: None
    """Called when alerts may have been queued."""
    announce: Callable[[Sequence[Swap]], None] = lambda _: None
    """Called with the detected swaps."""
    answerer: Answerer | None = None
    judge: Judge | None = None
    raw_retriever: Retriever | None = None
    """The retriever without rate limiting; used to read vectors."""

    def endpoints(self, depth: int) -> Endpoints:
        """The endpoints of a replay, for rankings of this depth."""
        return Endpoints(self.retriever, depth, self.answerer)

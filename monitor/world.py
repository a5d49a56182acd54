"""What a cycle needs from outside: the store, the target and the clock."""

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
    """Whom a replay asks, and how."""

    retriever: Retriever
    depth: int
    answerer: Answerer | None = None
    attempts: int = 2
    """How often a probe that fails for a passing reason is sent in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside that a cycle needs."""

    store: Store
    retriever: Retriever
    on_call: OnCall
    now: Callable[[], datetime]
    owner: str
    """Host and process, so that a run left behind by a crash can be told."""
    wake: Callable[[], None] = lambda: None
    """Called when alerts may have been queued."""
    announce: Callable[[Sequence[Swap]], None] = lambda _: None
    """Called with the swaps that were noticed."""
    answerer: Answerer | None = None
    judge: Judge | None = None
    raw_retriever: Retriever | None = None
    """The retriever without what stands around it, where vectors can be looked at."""

    def endpoints(self, depth: int) -> Endpoints:
        """Whom a replay asks, for rankings of this depth."""
        return Endpoints(self.retriever, depth, self.answerer)

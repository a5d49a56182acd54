"""The surroundings of a cycle: the store, the target and the clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from monitor.incidents.routing import OnCall
from monitor.model.decisions import Revisions
from monitor.model.measurements import Measured
from monitor.model.runs import Ranking
from monitor.model.verdicts import Verdict
from monitor.ports.store import Store
from monitor.ports.targets import Answerer, Judge, Retriever

if TYPE_CHECKING:
    from monitor.decision.repetition import DecidedOn

T = TypeVar("T")


@dataclass(slots=True)
class ContextTexts:
    """Texts of documents by id: those of the suite, and those that the retriever returns."""

    window: int
    """Number of hits that an answer is written from."""
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, ranking: Ranking) -> None:
        """Remember the texts of the hits within the window."""
        if ranking.texts is not None:
            self.texts.update(zip(ranking.doc_ids[: self.window], ranking.texts, strict=False))

    def of(self, ranking: Ranking) -> tuple[str, ...] | None:
        """The texts of the hits within the window; None if one is unknown."""
        doc_ids = ranking.doc_ids[: self.window]
        return tuple(self.texts[doc_id] for doc_id in doc_ids) if self.texts.keys() >= set(doc_ids) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The retriever and answerer of a replay, with its depth and attempts."""

    retriever: Retriever
    depth: int
    answerer: Answerer | None = None
    attempts: int = 2
    """Total attempts for a probe that fails for a temporary reason."""
    contexts: ContextTexts | None = None
    """Collects the texts of hits, for an answerer that retrieves nothing by itself, and for replays."""


class Role(StrEnum):
    """Why a measured run is kept."""

    BASELINE = "baseline"
    PREVIOUS = "previous"
    """The run before the change that the latest look judged."""
    LATEST = "latest"


@dataclass(slots=True)
class MeasuredRuns:
    """Measured runs, one for each suite and role, kept while nothing changes."""

    most_hits: int = 500_000
    """Hits that are kept in all, about 50 MB; a run with more is loaded and measured in every cycle."""
    _by_place: dict[tuple[Role, str], tuple[tuple[str, ...], Measured, int]] = field(default_factory=dict)

    def find(self, role: Role, suite_name: str, key: tuple[str, ...]) -> Measured | None:
        """The run of a suite in this role, if it was kept under this key."""
        kept_key, measured, _ = self._by_place.get((role, suite_name), ((), None, 0))
        return measured if kept_key == key else None

    def keep(self, role: Role, suite_name: str, key: tuple[str, ...], measured: Measured) -> None:
        """Keep the run of a suite in place of an earlier one, within the limit."""
        self._by_place.pop((role, suite_name), None)
        n_hits = _n_hits(measured)
        if sum(each[2] for each in self._by_place.values()) + n_hits <= self.most_hits:
            self._by_place[role, suite_name] = key, measured, n_hits


class RememberedReads:
    """The latest reads about one target and its suites: as much as one cycle reads."""

    def __init__(self) -> None:
        self.revisions: Revisions | None = None
        self._values: dict[str, tuple[Hashable, Any]] = {}

    async def read(self, name: str, revision: Hashable, load: Callable[[], Awaitable[T]]) -> T:
        """The value under this name, loaded again if its revision is another one."""
        before = self._values.get(name)
        if before is None or before[0] != revision:
            before = revision, await load()
            self._values[name] = before
        return cast("T", before[1])

    def keep(self, name: str, revision: Hashable, value: object) -> None:
        """Keep a value that was stored under this revision."""
        self._values[name] = revision, value


@dataclass(slots=True)
class LatestCycles:
    """The measurements, reads and decisions of the latest cycles of a target, while nothing changes."""

    measured: MeasuredRuns = field(default_factory=MeasuredRuns)
    reads: dict[tuple[str, ...], RememberedReads] = field(default_factory=dict)
    """By the suites of a plan."""
    decided: dict[tuple[str, ...], tuple[DecidedOn, Verdict]] = field(default_factory=dict)
    """The latest verdict that was not a repetition, by the suites of a plan."""

    def forget(self) -> None:
        """Forget everything that was read from the store or is referred to there."""
        self.measured = MeasuredRuns(self.measured.most_hits)
        self.reads.clear()
        self.decided.clear()


def _n_hits(measured: Measured) -> int:
    return sum(len(outcome.ranking.doc_ids) for outcome in measured.run.outcomes if outcome.ranking)


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
    """Called when alerts or swaps may have been queued."""
    answerer: Answerer | None = None
    judge: Judge | None = None
    titles: Callable[[str, Collection[str]], Mapping[str, str]] = lambda _, __: {}
    """Titles of documents of a suite, by its name and their ids, as far as they are known. Reads files."""
    latest: LatestCycles = field(default_factory=LatestCycles)
    raw_retriever: Retriever | None = None
    """The retriever without rate limiting; used to read vectors."""

    texts_of: Callable[[str], Mapping[str, str]] = lambda _: {}
    """The texts of the documents of a suite, by its name; empty if it has none."""

    def endpoints(self, depth: int, suite: str, window: int) -> Endpoints:
        """The endpoints of a replay of this suite, for rankings of this depth."""
        needs_contexts = self.answerer is not None and self.answerer.needs_contexts
        contexts = ContextTexts(window, dict(self.texts_of(suite))) if needs_contexts else None
        return Endpoints(retriever=self.retriever, depth=depth, answerer=self.answerer, contexts=contexts)

"""The surroundings of a cycle: the store, the target and the clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.incidents.routing import OnCall
from monitor.model.measurements import Measured
from monitor.model.runs import Ranking
from monitor.ports.store import Store
from monitor.ports.targets import Answerer, Judge, Retriever


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


@dataclass(slots=True)
class MeasuredBaselines:
    """Measured baselines, one for each suite, kept while nothing changes."""

    most_hits: int = 500_000
    """Hits that are kept in all, about 50 MB; a baseline with more is loaded in every cycle."""
    _by_suite: dict[str, tuple[tuple[str, ...], Measured]] = field(default_factory=dict)

    def find(self, suite_name: str, key: tuple[str, ...]) -> Measured | None:
        """The baseline of a suite, if it was kept under this key: its run and the measures."""
        kept_key, measured = self._by_suite.get(suite_name, ((), None))
        return measured if kept_key == key else None

    def keep(self, suite_name: str, key: tuple[str, ...], measured: Measured) -> None:
        """Keep the baseline of a suite in place of an earlier one, within the limit."""
        self._by_suite.pop(suite_name, None)
        n_kept = sum(_n_hits(each) for _, each in self._by_suite.values())
        if n_kept + _n_hits(measured) <= self.most_hits:
            self._by_suite[suite_name] = key, measured


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
    baselines: MeasuredBaselines = field(default_factory=MeasuredBaselines)
    raw_retriever: Retriever | None = None
    """The retriever without rate limiting; used to read vectors."""

    texts_of: Callable[[str], Mapping[str, str]] = lambda _: {}
    """The texts of the documents of a suite, by its name; empty if it has none."""

    def endpoints(self, depth: int, suite: str, window: int) -> Endpoints:
        """The endpoints of a replay of this suite, for rankings of this depth."""
        needs_contexts = self.answerer is not None and self.answerer.needs_contexts
        contexts = ContextTexts(window, dict(self.texts_of(suite))) if needs_contexts else None
        return Endpoints(retriever=self.retriever, depth=depth, answerer=self.answerer, contexts=contexts)

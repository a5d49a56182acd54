"""Causes of a change in the results of a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CauseName(StrEnum):
    """The cause of a change, or of no change."""

    UNCHANGED = "unchanged"
    NOISY = "noisy"
    MODEL_CHANGED = "model_changed"
    INDEX_CHANGED = "index_changed"
    CORPUS_CHANGED = "corpus_changed"
    CONFIGURATION_CHANGED = "configuration_changed"
    ANSWERER_CHANGED = "answerer_changed"
    ENCODERS_DIVERGED = "encoders_diverged"

    @property
    def is_swap(self) -> bool:
        """Whether a component changed, as opposed to nothing or numerical noise."""
        return self not in (CauseName.UNCHANGED, CauseName.NOISY)

    @property
    def label(self) -> str:
        """The cause as alerts and reports print it."""
        return _LABELS[self]


_LABELS = {
    CauseName.UNCHANGED: "nothing changed",
    CauseName.NOISY: "numerical noise",
    CauseName.MODEL_CHANGED: "the embedding model changed",
    CauseName.INDEX_CHANGED: "the index or its approximate search changed",
    CauseName.CORPUS_CHANGED: "the corpus changed",
    CauseName.CONFIGURATION_CHANGED: "the configuration of the retriever changed",
    CauseName.ANSWERER_CHANGED: "the answerer or the judge changed",
    CauseName.ENCODERS_DIVERGED: "queries and documents are no longer encoded by the same model",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The most likely cause of a change, with its evidence."""

    name: CauseName
    evidence: tuple[str, ...]
    or_else: tuple[CauseName, ...] = ()
    """Causes that this access cannot distinguish from it, most likely first."""
    also: tuple[CauseName, ...] = ()
    """Further causes of the same change."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Measured values by name."""

    @property
    def description(self) -> str:
        """The cause in words, with the causes that cannot be distinguished from it and further causes."""
        words = " or ".join(each.label for each in (self.name, *self.or_else))
        return "; also ".join((words, *(each.label for each in self.also)))

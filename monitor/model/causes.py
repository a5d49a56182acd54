"""The nouns of why a target answers otherwise than before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CauseName(StrEnum):
    """Why a target answers as it does."""

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
        """Whether something was changed, rather than nothing or the last digits."""
        return self not in (CauseName.UNCHANGED, CauseName.NOISY)

    @property
    def label(self) -> str:
        """What people read."""
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
    """The likeliest cause of a change, with what speaks for it."""

    name: CauseName
    evidence: tuple[str, ...]
    or_else: tuple[CauseName, ...] = ()
    """Causes that this access cannot tell from it, likeliest first."""
    also: tuple[CauseName, ...] = ()
    """Causes that were found besides it."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What was measured."""

    @property
    def told(self) -> str:
        """The cause in words, with those that cannot be told from it and those found besides."""
        words = " or ".join(each.label for each in (self.name, *self.or_else))
        return "; also ".join((words, *(each.label for each in self.also)))

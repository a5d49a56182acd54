"""Measurements: the value of a measure on each query of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.model.answers import Replies
from monitor.model.passages import LabelState
from monitor.model.runs import Counts, Run
from monitor.model.suites import Suite

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measurements:
    """Values of one measure on the scored queries; ``values`` has shape (n_queries,)."""

    measure: str
    query_ids: tuple[str, ...]
    values: Floats

    @property
    def mean(self) -> float:
        """Mean over the scored queries; NaN without any."""
        return float(self.values.mean()) if len(self.values) else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A run with its measurements and its suite."""

    run: Run
    suite: Suite
    counts: Counts
    measurements: Mapping[str, Measurements]
    shown_only: Mapping[str, Measurements] = field(default_factory=dict)
    """Measures of which less is better; they are reported, and never compared or stored."""
    judged_share: float = float("nan")
    """Share of returned documents that carry a judgement."""
    labels: Mapping[LabelState, int] = field(default_factory=dict)
    """Number of judgements in each state, for suites that judge passages or targets that report sources."""
    replies: Replies | None = None
    """Counts of the answers; None if no answers were requested."""

    @property
    def label_validity(self) -> float:
        """Share of the judgements with a known state that are still valid, in [0, 1]; 1 if no state is known."""
        n_labels = sum(self.labels.values())
        usable = sum(count for state, count in self.labels.items() if state.is_usable)
        return usable / n_labels if n_labels else 1.0

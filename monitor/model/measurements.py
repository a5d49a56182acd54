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
    """Per-query values of one measure, for the queries that were scored."""

    measure: str
    query_ids: tuple[str, ...]
    values: Floats

    @property
    def mean(self) -> float:
        """Mean over the scored queries."""
        return float(self.values.mean()) if len(self.values) else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A run with its measurements and with the suite it was measured by."""

    run: Run
    suite: Suite
    counts: Counts
    measurements: Mapping[str, Measurements]
    judged_share: float = float("nan")
    """Share of returned documents that carry a judgement."""
    labels: Mapping[LabelState, int] = field(default_factory=dict)
    """States of the judgements that the hits reveal, where passages are judged or sources are told."""
    replies: Replies | None = None
    """Where each answer went; None where no answer was asked for."""

    @property
    def label_validity(self) -> float:
        """Share of the revealed judgements that still say what they said, in [0, 1]; 1 where none is revealed."""
        revealed = sum(self.labels.values())
        usable = sum(count for state, count in self.labels.items() if state.is_usable)
        return usable / revealed if revealed else 1.0

"""Everything that one cycle decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.model.alerts import Alert
from monitor.model.deployments import Swap
from monitor.model.incidents import Incident
from monitor.model.noise import DetectorState
from monitor.model.runs import Run
from monitor.model.snapshots import Snapshot
from monitor.model.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Everything that one cycle decides, stored in one transaction.

    If the process stops before it is stored, the next cycle loads the old detector state and decides again.
    """

    verdict: Verdict
    incident: Incident | None = None
    """The next revision of the incident; None if the verdict does not change it."""
    alerts: tuple[Alert, ...] = ()
    states: Mapping[str, DetectorState] = field(default_factory=dict)
    """The next revision of the detector state, by suite."""
    swaps: tuple[Swap, ...] = ()
    snapshots: tuple[tuple[Run, Snapshot], ...] = ()
    """Vectors of the canaries, each with the run that they belong to."""
    repeats: str = ""
    """The id of the stored verdict that this one repeats, about the same results; empty for one of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """How often everything changed that decisions about one target read. A value that is the same was not changed."""

    states: Mapping[str, int]
    """Revision of the detector state, by suite; no entry where there is none."""
    baselines: Mapping[str, str]
    """Run of the current baseline, by suite."""
    snapshots: Mapping[str, str]
    """Run of the latest vectors of the canaries, by suite."""
    deployments: int
    swaps: int
    incidents: tuple[int, int]
    """Number of incidents about regressions of the target, and the sum of their revisions."""
    silences: tuple[int, int]
    """Number of silences, and of those that a person ended."""

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

"""One suite in one cycle: the run, and the runs to compare with."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model.measurements import Measured
from monitor.model.noise import Noise
from monitor.model.snapshots import Snapshot

NO_NOISE = Noise()


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult:
    """One suite in one cycle: the run, its baseline, and the run before a change."""

    measured: Measured
    baseline: Measured | None = None
    """The trusted run of the target and suite; None before the first promotion."""
    previous: Measured | None = None
    """The run before the change that triggered the look; None if the look compares with the baseline alone."""
    snapshot: Snapshot | None = None
    """Vectors of the canaries, where the target gives access to them."""
    noise: Noise = NO_NOISE
    """Noise floor of the current deployment."""

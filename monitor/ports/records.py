"""What commands read and decide: the part of a store that a daemon also serves over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from monitor.model.alerts import Alert
from monitor.model.deployments import Baseline, Deployment
from monitor.model.incidents import Incident, Tally
from monitor.model.measurements import Measured
from monitor.model.noise import DetectorState
from monitor.model.runs import Run, RunStatus
from monitor.model.silences import Silence
from monitor.model.suites import Suite
from monitor.model.verdicts import Verdict


class StoredRuns(Protocol):
    """Runs, suites and verdicts to read. Raises `StoreError` and nothing else; `Store` describes each method."""

    async def load_suite(self, digest: str) -> Suite:
        """The version of a suite with this digest."""
        ...

    async def load_run(self, run_id: str) -> Run:
        """One run with its outcomes."""
        ...

    async def load_measured(self, run_id: str) -> Measured:
        """A finished run as it was measured when it finished."""
        ...

    async def list_runs(self, limit: int = 50, status: RunStatus | None = None, target: str | None = None) -> list[Run]:
        """Runs without their outcomes, newest first."""
        ...

    async def find_run_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of runs that begin with ``prefix``."""
        ...

    async def baselines(self) -> list[Baseline]:
        """Every current baseline."""
        ...

    async def load_verdict(self, verdict_id: str) -> Verdict:
        """One verdict."""
        ...

    async def list_verdicts(self, limit: int = 50, target: str | None = None) -> list[Verdict]:
        """Verdicts, newest first."""
        ...

    async def find_verdict_ids(self, prefix: str = "", limit: int | None = None) -> list[str]:
        """The ids of verdicts that begin with ``prefix``, newest first."""
        ...

    async def latest_verdict(self, target: str) -> Verdict | None:
        """The latest verdict about a target."""
        ...


class Records(StoredRuns, Protocol):
    """Everything that commands read, and the writes that need no configuration."""

    async def promote(self, baseline: Baseline) -> None:
        """Make a finished run the baseline."""
        ...

    async def save_deployment(self, deployment: Deployment) -> None:
        """Store the declaration of a deployment."""
        ...

    async def deployments(self, target: str | None = None, limit: int = 50) -> list[Deployment]:
        """Declared deployments, newest first."""
        ...

    async def detector_state(self, target: str, suite_name: str) -> DetectorState | None:
        """The state of change detection for a target and suite."""
        ...

    async def load_incident(self, incident_id: str) -> Incident:
        """One incident."""
        ...

    async def list_incidents(self, limit: int = 50) -> list[Incident]:
        """Incidents, active ones first."""
        ...

    async def find_incident_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of incidents that begin with ``prefix``."""
        ...

    async def alerts_of(self, incident_id: str) -> Sequence[Alert]:
        """The alerts of an incident, oldest first."""
        ...

    async def tally_incidents(self) -> Sequence[Tally]:
        """The false-alarm ledger."""
        ...

    async def save_silence(self, silence: Silence) -> None:
        """Store a silence, or its end."""
        ...

    async def silences(self, *, ended: bool = False) -> list[Silence]:
        """Silences set by people, newest first."""
        ...

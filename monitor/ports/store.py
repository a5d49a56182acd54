"""The store as a protocol, which adapters implement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from monitor.errors import Reason
from monitor.model.alerts import Alert, Delivery
from monitor.model.answers import Grades
from monitor.model.decisions import Decision, Revisions
from monitor.model.deployments import Announcement, Baseline, Deployment, Swap
from monitor.model.incidents import Incident, IncidentKind, Tally
from monitor.model.measurements import Measured
from monitor.model.noise import DetectorState
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.silences import Silence
from monitor.model.snapshots import Snapshot
from monitor.model.suites import Suite
from monitor.model.verdicts import Verdict


class Store(Protocol):
    """Persistent storage. Raises `StoreError` and nothing else."""

    errors: int
    """Number of transactions that failed since the store was opened."""

    async def open(self) -> None:
        """Connect, and migrate the schema if the store manages it itself."""
        ...

    async def close(self) -> None:
        """Disconnect, and stop a server that `open` started."""
        ...

    async def save_suite(self, suite: Suite) -> None:
        """Store the suite under its digest; saving it a second time changes nothing."""
        ...

    async def load_suite(self, digest: str) -> Suite:
        """The version of a suite with this digest."""
        ...

    async def start_run(self, run: Run) -> Run:
        """Store a run before its replay starts; return it with the declared deployment of its target."""
        ...

    async def save_outcomes(self, run_id: str, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes of a running run. Raises StoreError for a second outcome of a query."""
        ...

    async def save_grades(self, run_id: str, grades: Mapping[str, Grades]) -> None:
        """Store the grades of the answers of a run, by query."""
        ...

    async def known_grades(self, judge: str, keys: Sequence[str]) -> dict[str, Grades]:
        """Stored grades of this judge, by the key of the graded answer."""
        ...

    async def keep_grade(self, key: str, grades: Grades, requests: int, at: datetime) -> None:
        """Store a grade under its key, with the number of requests; each answer is graded only once."""
        ...

    async def count_judge_requests(self, judge: str, since: datetime) -> int:
        """Number of requests to a judge since then."""
        ...

    async def finish_run(self, measured: Measured) -> None:
        """Store the measurements and mark the run finished, in one transaction."""
        ...

    async def interrupt_run(self, run_id: str, at: datetime) -> bool:
        """Mark a running run interrupted. Returns whether it was still running."""
        ...

    async def load_run(self, run_id: str) -> Run:
        """One run with its outcomes. Raises NotStoredError naming the id if there is none."""
        ...

    async def load_measured(self, run_id: str) -> Measured:
        """A finished run as it was measured when it finished, also after retention dropped its rankings."""
        ...

    async def latest_run(self, target: str, suite_name: str, *, before: datetime | None = None) -> Run | None:
        """The latest finished run of a target and suite, without its outcomes."""
        ...

    async def list_runs(self, limit: int = 50, status: RunStatus | None = None, target: str | None = None) -> list[Run]:
        """Runs without their outcomes, newest first."""
        ...

    async def find_run_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of runs that begin with ``prefix``, newest first."""
        ...

    async def promote(self, baseline: Baseline) -> None:
        """Make a finished run the baseline; earlier baselines stay on record."""
        ...

    async def baseline(self, target: str, suite_name: str) -> Baseline | None:
        """The current baseline."""
        ...

    async def baselines(self) -> list[Baseline]:
        """Every current baseline."""
        ...

    async def detector_state(self, target: str, suite_name: str) -> DetectorState | None:
        """The state of change detection for a target and suite."""
        ...

    async def save_deployment(self, deployment: Deployment) -> None:
        """Store the declaration of a deployment."""
        ...

    async def deployments(self, target: str | None = None, limit: int = 50) -> list[Deployment]:
        """Declared deployments, newest first."""
        ...

    async def count_probes(self, target: str, since: datetime) -> int:
        """Number of probes sent to a target since then, by runs of any status."""
        ...

    async def snapshot(self, target: str, suite_name: str) -> Snapshot | None:
        """The latest vectors of the canaries, without rankings, which are stored with the run."""
        ...

    async def latest_swap(self, target: str, suite_names: Sequence[str]) -> Swap | None:
        """The latest change of the deployment of a target that was detected in one of these suites."""
        ...

    async def find_incident(self, kind: IncidentKind, subject: str, dedup_key: str = "") -> Incident | None:
        """The active incident of a subject, else the latest one with this key."""
        ...

    async def incidents_of(self, kind: IncidentKind, subject: str, limit: int = 50) -> list[Incident]:
        """The incidents of a subject: an active one first, then the latest ones."""
        ...

    async def alerts_of(self, incident_id: str) -> list[Alert]:
        """The alerts of an incident, oldest first."""
        ...

    async def find_incident_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of incidents that begin with ``prefix``, with or without ``incident_``, newest first."""
        ...

    async def load_incident(self, incident_id: str) -> Incident:
        """One incident. Raises StoreError naming the id if there is none."""
        ...

    async def list_incidents(self, limit: int = 50) -> list[Incident]:
        """Incidents, active ones first, then by time, newest first."""
        ...

    async def tally_incidents(self) -> list[Tally]:
        """The false-alarm ledger: outcomes of the regressions that fired, by target and policy."""
        ...

    async def save_incident(self, incident: Incident, alerts: Sequence[Alert]) -> bool:
        """Store the next revision of an incident and queue its alerts, in one transaction.

        A firing alert is queued for the notifiers that it names, later alerts for the notifiers that received that one.
        When the incident ends, its silenced alerts are removed. Returns False, and stores nothing, if another process
        stored the revision first.
        """
        ...

    async def save_decision(self, decision: Decision) -> bool:
        """Store the decision of one cycle in one transaction.

        It holds detector states, swaps, vectors, verdict, incident and alerts; `save_incident` describes the final two.
        Returns False, and stores nothing, if another process changed a detector state or the incident first.
        """
        ...

    async def revisions(self, target: str, suite_names: Sequence[str]) -> Revisions:
        """How often everything changed that decisions about these suites of a target read."""
        ...

    async def load_verdict(self, verdict_id: str) -> Verdict:
        """One verdict. Raises StoreError naming the id if there is none."""
        ...

    async def list_verdicts(self, limit: int = 50, target: str | None = None) -> list[Verdict]:
        """Verdicts, newest first."""
        ...

    async def find_verdict_ids(self, prefix: str = "", limit: int | None = None) -> list[str]:
        """The ids of verdicts that begin with ``prefix``, newest first; without a limit all of them."""
        ...

    async def latest_verdict(self, target: str) -> Verdict | None:
        """The latest verdict about a target."""
        ...

    async def lease_announcements(
        self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float, since: datetime
    ) -> list[Announcement]:
        """Lease swaps detected after ``since`` that these notifiers have not shown and that are due."""
        ...

    async def mark_announced(self, announcement: Announcement, at: datetime) -> None:
        """Record that the notifier accepted a swap."""
        ...

    async def requeue_announcement(
        self, announcement: Announcement, reason: Reason, *, next_attempt_at: datetime
    ) -> None:
        """Record a failed attempt, and when to try again."""
        ...

    async def lease_deliveries(
        self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float
    ) -> list[Delivery]:
        """Lease alerts that are due for these notifiers for ``lease_s`` seconds, in order for each dedup key."""
        ...

    async def mark_delivered(self, receipts: Mapping[int, str | None], at: datetime) -> None:
        """Record that the notifiers accepted these alerts, each with the receipt that its notifier returned."""
        ...

    async def retry_deliveries(self, notifiers: Sequence[str], now: datetime) -> int:
        """Make every undelivered alert for these notifiers due now; return their number.

        A dead one is left out if a later alert of its incident was delivered: it would report an old state again.
        """
        ...

    async def save_silence(self, silence: Silence) -> None:
        """Store a silence, or its end."""
        ...

    async def silences(self, *, ended: bool = False) -> list[Silence]:
        """Silences set by people, newest first; with ``ended`` also those that a person ended."""
        ...

    async def mark_undelivered(
        self, delivery_id: int, reason: Reason, detail: str, *, next_attempt_at: datetime | None
    ) -> None:
        """Record a failed attempt; retry at ``next_attempt_at``, or never if it is None (a dead letter)."""
        ...

    async def count_deliveries(self) -> Mapping[str, int]:
        """Deliveries by state: pending, delivered, dead, silenced."""
        ...

    async def oldest_pending(self) -> datetime | None:
        """Creation time of the oldest pending alert; None without any."""
        ...

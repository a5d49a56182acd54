"""What recallwatch keeps, as a protocol. Adapters fulfil it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from monitor.errors import Reason
from monitor.model.alerts import Alert, Delivery
from monitor.model.answers import Grades
from monitor.model.deployments import Baseline, Deployment, Swap
from monitor.model.incidents import Incident, IncidentKind, Tally
from monitor.model.measurements import Measured
from monitor.model.noise import DetectorState
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.snapshots import Snapshot
from monitor.model.suites import Suite
from monitor.model.verdicts import Verdict


class Store(Protocol):
    """Where everything is kept. Raises `StoreError` and nothing else."""

    errors: int
    """Transactions that were not taken since the store was opened."""

    async def open(self) -> None:
        """Connect, and bring the schema up to date where that is the store's own business."""
        ...

    async def close(self) -> None:
        """Disconnect; stop what was started."""
        ...

    async def save_suite(self, suite: Suite) -> None:
        """Keep the suite under its digest; saving it again changes nothing."""
        ...

    async def load_suite(self, digest: str) -> Suite:
        """The suite as it was when it was replayed."""
        ...

    async def start_run(self, run: Run) -> None:
        """Keep a run that is about to be replayed."""
        ...

    async def save_outcomes(self, run_id: str, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes of a running run. A query has one outcome: a second one is refused."""
        ...

    async def save_grades(self, run_id: str, grades: Mapping[str, Grades]) -> None:
        """Keep what the judge said of the answers of a run, by query."""
        ...

    async def known_grades(self, judge: str, keys: Sequence[str]) -> dict[str, Grades]:
        """Grades that this judge gave before, by the key of what was graded."""
        ...

    async def keep_grade(self, key: str, grades: Grades, requests: int, at: datetime) -> None:
        """Keep a grade under its key, and how many requests it took; grading is paid once."""
        ...

    async def count_judge_requests(self, judge: str, since: datetime) -> int:
        """Requests made of a judge since then."""
        ...

    async def finish_run(self, measured: Measured) -> None:
        """Keep the measurements and mark the run finished, in one transaction."""
        ...

    async def interrupt_run(self, run_id: str, at: datetime) -> bool:
        """Close a running run that will not be finished; whether it was still running."""
        ...

    async def load_run(self, run_id: str) -> Run:
        """One run with its outcomes. Raises StoreError naming the id if there is none."""
        ...

    async def latest_run(self, target: str, suite_name: str, *, before: datetime | None = None) -> Run | None:
        """The last finished run of a target and suite, without its outcomes."""
        ...

    async def list_runs(self, limit: int = 50, status: RunStatus | None = None, target: str | None = None) -> list[Run]:
        """Runs without their outcomes, newest first."""
        ...

    async def find_run_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of runs that begin with ``prefix``, newest first."""
        ...

    async def promote(self, baseline: Baseline) -> None:
        """Make a finished run the baseline; the one before stays on record."""
        ...

    async def baseline(self, target: str, suite_name: str) -> Baseline | None:
        """The baseline that holds now."""
        ...

    async def baselines(self) -> list[Baseline]:
        """Every baseline that holds now."""
        ...

    async def detector_state(self, target: str, suite_name: str) -> DetectorState | None:
        """What level 1 remembers about a target and suite."""
        ...

    async def save_detector_state(self, target: str, suite_name: str, state: DetectorState) -> None:
        """Remember it until the next cycle."""
        ...

    async def save_deployment(self, deployment: Deployment) -> None:
        """Keep what a target is said to serve from now on."""
        ...

    async def deployments(self, target: str | None = None, limit: int = 50) -> list[Deployment]:
        """What targets were said to serve, newest first."""
        ...

    async def count_probes(self, target: str, since: datetime) -> int:
        """Probes sent to a target since then, by runs of any status."""
        ...

    async def save_snapshot(self, run: Run, snapshot: Snapshot) -> None:
        """Keep the vectors that a run's canaries showed, in place of those before."""
        ...

    async def snapshot(self, target: str, suite_name: str) -> Snapshot | None:
        """The vectors that the canaries last showed; rankings, which the run has, are left out."""
        ...

    async def save_swap(self, swap: Swap) -> None:
        """Keep that what a target serves has changed."""
        ...

    async def latest_swap(self, target: str, suite_names: Sequence[str]) -> Swap | None:
        """The last change of what a target serves that was seen in one of these suites."""
        ...

    async def find_incident(self, kind: IncidentKind, subject: str, dedup_key: str = "") -> Incident | None:
        """The incident that lasts for a subject, else the last one under the key."""
        ...

    async def load_incident(self, incident_id: str) -> Incident:
        """One incident. Raises StoreError naming the id if there is none."""
        ...

    async def list_incidents(self, limit: int = 50) -> list[Incident]:
        """Incidents, those that last first, then the newest."""
        ...

    async def tally_incidents(self) -> list[Tally]:
        """The noise ledger: what became of the regressions that fired, by target and policy."""
        ...

    async def save_incident(self, incident: Incident, alerts: Sequence[Alert]) -> bool:
        """Keep the next revision of an incident and queue its alerts, in one transaction.

        A firing alert is queued for the notifiers that it names, what follows for those who were told; what a silence
        still holds is taken back when the incident ends. False, and nothing is kept, if another process was first.
        """
        ...

    async def save_decision(self, verdict: Verdict, incident: Incident | None, alerts: Sequence[Alert]) -> bool:
        """Keep a verdict, and what it changed of an incident as `save_incident` does, in one transaction."""
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
        """The last verdict about a target."""
        ...

    async def lease_deliveries(
        self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float
    ) -> list[Delivery]:
        """Take alerts that are due for these notifiers, for ``lease_s`` seconds; in order per dedup key."""
        ...

    async def mark_delivered(self, delivery_ids: Sequence[int], at: datetime) -> None:
        """The notifiers accepted these alerts."""
        ...

    async def mark_undelivered(
        self, delivery_id: int, reason: Reason, detail: str, *, next_attempt_at: datetime | None
    ) -> None:
        """Try again at ``next_attempt_at``, or never if that is None (a dead letter)."""
        ...

    async def count_deliveries(self) -> Mapping[str, int]:
        """Deliveries by state: pending, delivered, dead, silenced."""
        ...

    async def oldest_pending(self) -> datetime | None:
        """When the alert was created that waits longest; None if none waits."""
        ...

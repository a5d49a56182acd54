"""The in-memory store, for tests and as a readable reference of the port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.adapters.stores.memory.announcements import MemoryAnnouncements
from monitor.errors import NotStoredError, StoreError
from monitor.model.answers import Grades
from monitor.model.decisions import Decision, Revisions
from monitor.model.deployments import Baseline, Deployment, Swap
from monitor.model.incidents import IncidentKind
from monitor.model.measurements import Measured
from monitor.model.noise import DetectorState
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.snapshots import Snapshot
from monitor.model.suites import Suite
from monitor.model.verdicts import Verdict


@dataclass(slots=True)
class MemoryStore(MemoryAnnouncements):
    """Keeps everything in dictionaries until the process exits."""

    suites: dict[str, Suite] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    outcomes: dict[str, dict[str, Outcome]] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    promoted: list[Baseline] = field(default_factory=list)
    detector_states: dict[tuple[str, str], DetectorState] = field(default_factory=dict)
    snapshots: dict[tuple[str, str], Snapshot] = field(default_factory=dict)
    declared: list[Deployment] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    grades: dict[tuple[str, str], tuple[Grades, int, datetime]] = field(default_factory=dict)
    errors: int = 0

    connections: tuple[int, int] = (0, 1)

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def save_suite(self, suite: Suite) -> None:
        """Store the suite under its digest; saving it a second time changes nothing."""
        self.suites.setdefault(suite.digest, suite)

    async def load_suite(self, digest: str) -> Suite:
        """The version of a suite with this digest."""
        if digest not in self.suites:
            raise StoreError(f"no suite with digest {digest}")
        return self.suites[digest]

    async def start_run(self, run: Run) -> Run:
        """Store a run before its replay starts; return it with the declared deployment of its target."""
        declared = next((each.name for each in await self.deployments(run.target, limit=1)), "")
        self.runs[run.run_id] = replace(run, deployment=run.deployment or declared)
        self.outcomes[run.run_id] = {}
        return self.runs[run.run_id]

    async def save_outcomes(self, run_id: str, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes of a running run. Raises StoreError for a second outcome of a query."""
        self._refuse_closed(run_id)
        stored = self.outcomes[run_id]
        added = {outcome.query_id: outcome for outcome in outcomes}
        if len(added) != len(outcomes) or added.keys() & stored.keys():
            raise StoreError(f"run {run_id} already has an outcome for one of these queries")
        stored.update(added)

    async def finish_run(self, measured: Measured) -> None:
        """Store the measurements and mark the run finished, in one transaction."""
        run_id = measured.run.run_id
        self._refuse_closed(run_id)
        self.runs[run_id] = replace(measured.run, outcomes=(), status=RunStatus.FINISHED)
        self.measured[run_id] = replace(measured, run=self.runs[run_id])

    async def save_grades(self, run_id: str, grades: Mapping[str, Grades]) -> None:
        """Store the grades of the answers of a run, by query."""
        outcomes = self.outcomes[run_id]
        for query_id, grade in grades.items():
            outcome = outcomes[query_id]
            if outcome.reply is not None:
                outcomes[query_id] = replace(outcome, reply=replace(outcome.reply, grades=grade))

    async def known_grades(self, judge: str, keys: Sequence[str]) -> dict[str, Grades]:
        """Stored grades of this judge, by the key of the graded answer."""
        return {key: self.grades[judge, key][0] for key in keys if (judge, key) in self.grades}

    async def keep_grade(self, key: str, grades: Grades, requests: int, at: datetime) -> None:
        """Store a grade under its key, with the number of requests; each answer is graded only once."""
        self.grades[grades.judge, key] = grades, requests, at

    async def count_judge_requests(self, judge: str, since: datetime) -> int:
        """Number of requests to a judge since then."""
        return sum(requests for (by, _), (_, requests, at) in self.grades.items() if by == judge and at >= since)

    def _refuse_closed(self, run_id: str) -> None:
        if run_id not in self.runs or self.runs[run_id].status is not RunStatus.RUNNING:
            raise StoreError(f"run {run_id} is no longer running: another process closed it")

    async def interrupt_run(self, run_id: str, at: datetime) -> bool:
        """Mark a running run interrupted. Returns whether it was still running."""
        run = self.runs[run_id]
        if run.status is not RunStatus.RUNNING:
            return False
        self.runs[run_id] = replace(run, status=RunStatus.INTERRUPTED, finished_at=at)
        return True

    async def load_run(self, run_id: str) -> Run:
        """One run with its outcomes. Raises StoreError naming the id if there is none."""
        if run_id not in self.runs:
            raise NotStoredError(f"no run {run_id}; `recallwatch runs list` prints the latest")
        return replace(self.runs[run_id], outcomes=tuple(self.outcomes[run_id].values()))

    async def load_measured(self, run_id: str) -> Measured:
        """A finished run as it was measured when it finished, also after retention dropped its rankings."""
        if run_id not in self.measured:
            raise StoreError(f"run {run_id} has no stored measurements")
        return replace(self.measured[run_id], run=await self.load_run(run_id), shown_only={})

    async def latest_run(self, target: str, suite_name: str, *, before: datetime | None = None) -> Run | None:
        """The latest finished run of a target and suite, without its outcomes."""
        runs = [
            run
            for run in await self.list_runs(status=RunStatus.FINISHED, limit=len(self.runs))
            if (run.target, run.suite_name) == (target, suite_name) and (before is None or run.started_at < before)
        ]
        return runs[0] if runs else None

    async def list_runs(self, limit: int = 50, status: RunStatus | None = None, target: str | None = None) -> list[Run]:
        """Runs without their outcomes, newest first."""
        runs = [run for run in self.runs.values() if status in (None, run.status) and target in (None, run.target)]
        return sorted(runs, key=lambda run: run.started_at, reverse=True)[:limit]

    async def find_run_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of runs that begin with ``prefix``, newest first."""
        runs = await self.list_runs(limit=len(self.runs))
        return [run.run_id for run in runs if run.run_id.startswith(prefix)][:limit]

    async def promote(self, baseline: Baseline) -> None:
        """Make a finished run the baseline; earlier baselines stay on record."""
        self.promoted.append(baseline)

    async def baseline(self, target: str, suite_name: str) -> Baseline | None:
        """The current baseline."""
        return next((b for b in await self.baselines() if (b.target, b.suite_name) == (target, suite_name)), None)

    async def baselines(self) -> list[Baseline]:
        """Every current baseline."""
        return list({(each.target, each.suite_name): each for each in self.promoted}.values())

    async def detector_state(self, target: str, suite_name: str) -> DetectorState | None:
        """The state of change detection for a target and suite."""
        return self.detector_states.get((target, suite_name))

    async def save_deployment(self, deployment: Deployment) -> None:
        """Store the declaration of a deployment."""
        self.declared.append(deployment)

    async def deployments(self, target: str | None = None, limit: int = 50) -> list[Deployment]:
        """Declared deployments, newest first."""
        deployments = [each for each in reversed(self.declared) if target in (None, each.target)]
        return sorted(deployments, key=lambda each: each.declared_at, reverse=True)[:limit]

    async def deployments_after(self, deployment_id: int) -> Sequence[tuple[int, Deployment]]:
        """Deployments that were declared after this one, with their ids, in order."""
        return list(enumerate(self.declared, start=1))[deployment_id:]

    async def latest_deployment_id(self) -> int:
        """The id of the deployment that was declared last; 0 without any."""
        return len(self.declared)

    async def outbox_backlog(self) -> tuple[int, int, datetime | None]:
        """Number of pending and of dead deliveries, and when the oldest pending alert was queued."""
        counts = await self.count_deliveries()
        return counts["pending"], counts["dead"], await self.oldest_pending()

    async def count_probes(self, target: str, since: datetime) -> int:
        """Number of probes sent to a target since then, by runs of any status."""
        runs = [run for run in self.runs.values() if run.target == target and run.started_at >= since]
        return sum(len(self.outcomes[run.run_id]) for run in runs)

    async def snapshot(self, target: str, suite_name: str) -> Snapshot | None:
        """The latest vectors of the canaries, without rankings, which are stored with the run."""
        return self.snapshots.get((target, suite_name))

    async def latest_swap(self, target: str, suite_names: Sequence[str]) -> Swap | None:
        """The latest change of the deployment of a target that was detected in one of these suites."""
        swaps = [swap for swap in self.swaps if swap.target == target and swap.suite_name in suite_names]
        return max(swaps, key=lambda swap: swap.detected_at, default=None)

    async def save_decision(self, decision: Decision) -> bool:
        """Store everything one cycle decided; False if another process was first."""
        target = decision.verdict.target
        for suite_name, state in decision.states.items():
            stored = self.detector_states.get((target, suite_name))
            if (stored.revision if stored else 0) != state.revision - 1:
                return False
        if decision.incident is not None and not await self.save_incident(decision.incident, decision.alerts):
            return False
        self.detector_states.update({(target, name): state for name, state in decision.states.items()})
        self.swaps.extend(decision.swaps)
        for run, snapshot in decision.snapshots:
            self.snapshots[run.target, run.suite_name] = replace(snapshot, rankings={}, exact={})
        self.verdicts.append(decision.verdict)
        return True

    async def revisions(self, target: str, suite_names: Sequence[str]) -> Revisions:
        """How often everything changed that decisions about these suites of a target read."""
        incidents = await self.incidents_of(IncidentKind.REGRESSION, target, limit=len(self.incidents))
        states = {name: self.detector_states.get((target, name)) for name in suite_names}
        baselines = {name: await self.baseline(target, name) for name in suite_names}
        silences = await self.silences(ended=True)
        return Revisions(
            states={name: state.revision for name, state in states.items() if state},
            baselines={name: baseline.run_id for name, baseline in baselines.items() if baseline},
            snapshots={name: str(id(each)) for (of, name), each in self.snapshots.items() if of == target},
            deployments=sum(each.target == target for each in self.declared),
            swaps=sum(each.target == target for each in self.swaps),
            incidents=(len(incidents), sum(each.revision for each in incidents)),
            silences=(len(silences), sum(each.ended_at is not None for each in silences)),
        )

    async def load_verdict(self, verdict_id: str) -> Verdict:
        """One verdict. Raises StoreError naming the id if there is none."""
        verdict = next((verdict for verdict in self.verdicts if verdict.verdict_id == verdict_id), None)
        if verdict is None:
            raise StoreError(f"no verdict {verdict_id}; `recallwatch verdicts list` prints the latest")
        return verdict

    async def list_verdicts(self, limit: int = 50, target: str | None = None) -> list[Verdict]:
        """Verdicts, newest first."""
        verdicts = [verdict for verdict in self.verdicts if target in (None, verdict.target)]
        return sorted(verdicts, key=lambda verdict: verdict.decided_at, reverse=True)[:limit]

    async def find_verdict_ids(self, prefix: str = "", limit: int | None = None) -> list[str]:
        """The ids of verdicts that begin with ``prefix``, newest first; without a limit all of them."""
        verdicts = await self.list_verdicts(limit=len(self.verdicts))
        return [verdict.verdict_id for verdict in verdicts if verdict.verdict_id.startswith(prefix)][:limit]

    async def latest_verdict(self, target: str) -> Verdict | None:
        """The latest verdict about a target."""
        return next((verdict for verdict in reversed(self.verdicts) if verdict.target == target), None)

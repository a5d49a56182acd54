"""What a daemon knows, as `Records`: commands read and decide over HTTP as they do in a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from monitor.adapters.stores.remote.client import ApiClient
from monitor.adapters.stores.remote.nouns import noun, nouns, verdict
from monitor.errors import StoreError
from monitor.model.alerts import Alert
from monitor.model.audit import AuditEntry
from monitor.model.deployments import Baseline, Deployment
from monitor.model.incidents import Incident, Tally
from monitor.model.measurements import Measured
from monitor.model.noise import DetectorState, Noise
from monitor.model.runs import Run, RunStatus
from monitor.model.silences import Silence
from monitor.model.suites import Suite
from monitor.model.verdicts import Verdict


class RemoteRecords:
    """Records of a daemon. Raises `StoreError` and nothing else."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def load_suite(self, digest: str) -> Suite:
        """The version of a suite with this digest."""
        return noun(Suite, await self._client.get("suites", digest))

    async def load_run(self, run_id: str) -> Run:
        """One run with its outcomes."""
        return noun(Run, await self._client.get("runs", run_id))

    async def load_measured(self, run_id: str) -> Measured:
        """Not served: the values of each query of a run whose rankings retention dropped."""
        raise StoreError(f"retention dropped the rankings of run {run_id}; read it on the machine of the daemon")

    async def list_runs(self, limit: int = 50, status: RunStatus | None = None, target: str | None = None) -> list[Run]:
        """Runs without their outcomes, newest first."""
        return nouns(Run, await self._client.items("runs", limit=limit, status=status, target=target))

    async def find_run_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of runs that begin with ``prefix``."""
        return await self._ids("run", prefix, limit)

    async def baselines(self) -> list[Baseline]:
        """Every current baseline."""
        return nouns(Baseline, await self._client.items_at_once("baselines"))

    async def load_verdict(self, verdict_id: str) -> Verdict:
        """One verdict."""
        return verdict(await self._client.get("comparisons", verdict_id))

    async def list_verdicts(self, limit: int = 50, target: str | None = None) -> list[Verdict]:
        """Verdicts, newest first."""
        return [verdict(each) for each in await self._client.items("comparisons", limit=limit, target=target)]

    async def find_verdict_ids(self, prefix: str = "", limit: int | None = None) -> list[str]:
        """The ids of verdicts that begin with ``prefix``, newest first."""
        return await self._ids("verdict", prefix, limit)

    async def latest_verdict(self, target: str) -> Verdict | None:
        """The latest verdict about a target."""
        return next(iter(await self.list_verdicts(1, target)), None)

    async def promote(self, baseline: Baseline) -> None:
        """Make a finished run the baseline."""
        body = {"run_id": baseline.run_id, "reason": baseline.reason, "by": baseline.promoted_by}
        await self._client.post("baselines", body=body)

    async def save_deployment(self, deployment: Deployment) -> None:
        """Declare a deployment."""
        body = {"target": deployment.target, "name": deployment.name, "by": deployment.declared_by}
        await self._client.post("deployments", body={**body, "detail": dict(deployment.detail)})

    async def deployments(self, target: str | None = None, limit: int = 50) -> list[Deployment]:
        """Declared deployments, newest first."""
        return nouns(Deployment, await self._client.items("deployments", limit=limit, target=target))

    async def detector_state(self, target: str, suite_name: str) -> DetectorState | None:
        """The learned noise floor of a target and suite; the rest of the state is not served."""
        rows = (await self._client.get("noise", target=target, suite=suite_name))["items"]
        return next((DetectorState(baseline_run_id=each["baseline_run_id"], noise=_noise(each)) for each in rows), None)

    async def load_incident(self, incident_id: str) -> Incident:
        """One incident."""
        return noun(Incident, await self._client.get("incidents", incident_id))

    async def list_incidents(self, limit: int = 50) -> list[Incident]:
        """Incidents, active ones first."""
        return nouns(Incident, await self._client.items("incidents", limit=limit))

    async def find_incident_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of incidents that begin with ``prefix``."""
        return await self._ids("incident", prefix, limit)

    async def alerts_of(self, incident_id: str) -> list[Alert]:
        """The alerts of an incident, oldest first."""
        return nouns(Alert, await self._client.items_at_once("incidents", incident_id, "alerts"))

    async def tally_incidents(self) -> list[Tally]:
        """The false-alarm ledger."""
        return nouns(Tally, await self._client.items_at_once("false-alarms"))

    async def save_silence(self, silence: Silence) -> None:
        """Add a silence, or end the one with this id."""
        if silence.ended_at is not None:
            await self._client.post("silences", silence.silence_id, "end", body={"by": silence.ended_by})
        else:
            await self._client.post("silences", body=_silence_body(silence))

    async def silences(self, *, ended: bool = False) -> list[Silence]:
        """Silences set by people, newest first."""
        return [each for each in await self.all_silences(ended=ended) if each.silence_id]

    async def all_silences(self, *, ended: bool = False) -> list[Silence]:
        """Silences of the daemon's configuration, which have no id, then those of people."""
        return nouns(Silence, await self._client.items("silences", ended=ended))

    async def all_audit_entries(self, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """Every entry of the audit log after a number, oldest first."""
        while rows := (await self._client.get("audit", after=after, limit=500))["items"]:
            for entry in nouns(AuditEntry, rows):
                yield entry
            after = rows[-1]["number"]

    async def _ids(self, kind: str, prefix: str, limit: int | None) -> list[str]:
        return await self._client.items("ids", kind, limit=limit, prefix=prefix)


def _noise(row: dict[str, Any]) -> Noise:
    return noun(Noise, row["noise"])


def _silence_body(silence: Silence) -> dict[str, Any]:
    start, end = silence.daily or (None, None)
    daily = {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}", "zone": silence.zone} if start and end else None
    return {
        "silence_id": silence.silence_id,
        "reason": silence.reason,
        "by": silence.author,
        "match": {label: list(accepted) for label, accepted in silence.match.items()},
        "starts_at": silence.starts_at.isoformat() if silence.starts_at else None,
        "ends_at": silence.ends_at.isoformat() if silence.ends_at else None,
        "daily": {**daily, "weekdays": list(silence.weekdays)} if daily else None,
    }

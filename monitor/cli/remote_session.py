"""A session at a daemon: its records and its configuration over the HTTP API, its gates on its machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from monitor.adapters.stores.remote import nouns
from monitor.adapters.stores.remote.client import ApiClient, RefusedError
from monitor.adapters.stores.remote.records import RemoteRecords
from monitor.cli.result import NOT_MEASURED, REFUSED
from monitor.cli.session import WatchedTarget
from monitor.errors import ComparisonError, ConfigError, MonitorError
from monitor.evaluation.scoring import measure
from monitor.gate.candidates import Choice, choose
from monitor.gate.cost import Cost
from monitor.model.audit import AuditEntry
from monitor.model.gates import GateReport, GateStatus
from monitor.model.incidents import Incident
from monitor.model.policies import Policy
from monitor.model.silences import Silence
from monitor.plan import Plan
from monitor.probing.replay import Watch
from monitor.service import wiring
from monitor.service.gating import Gating

_POLL_S = 0.5


class RemoteSession:
    """The session of a daemon; what changes there is changed by the daemon itself."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self.records = RemoteRecords(client)

    async def policy(self, name: str) -> Policy:
        """A policy of the daemon's configuration."""
        policies = {each["name"]: each["values"] for each in await self._client.items_at_once("policies")}
        if name not in policies:
            raise ConfigError("policies", f'unknown policy "{name}"; known policies: {", ".join(policies)}')
        return nouns.noun(Policy, policies[name])

    async def silences_of_configuration(self) -> Sequence[Silence]:
        """The silences of the daemon's configuration."""
        return [each for each in await self.records.all_silences() if not each.silence_id]

    async def watched_targets(self) -> Sequence[WatchedTarget]:
        """The schedules of the daemon."""
        schedules = await self._client.items_at_once("schedules")
        return [WatchedTarget(each["target"], tuple(each["suites"]), each["policy"]) for each in schedules]

    async def require_target(self, name: str) -> None:
        """Raise ConfigError for a target that the daemon does not have."""
        wiring.refuse_unknown_target(name, [each["name"] for each in await self._client.items_at_once("targets")])

    def audit_entries(self, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """The audit log of the daemon."""
        return self.records.all_audit_entries(after=after)

    async def acknowledge(self, incident_id: str, *, by: str) -> Incident:
        """Have the daemon acknowledge an incident."""
        changed = await self._client.post("incidents", incident_id, "acknowledge", body={"by": by})
        return nouns.noun(Incident, changed)

    async def dismiss(self, incident_id: str, *, by: str, reason: str) -> Incident:
        """Have the daemon dismiss an incident."""
        changed = await self._client.post("incidents", incident_id, "dismiss", body={"by": by, "reason": reason})
        return nouns.noun(Incident, changed)

    async def gate_costs(self, gating: Gating) -> Sequence[tuple[str, Cost]]:
        """The cost of a gate that the daemon would run."""
        rows = (await self._gate_request("gate", "cost", body=_gate_body(gating)))["items"]
        fields = ("probes", "answers", "grades", "seconds")
        return [(row["target"], Cost(**{name: row[name] for name in fields})) for row in rows]

    async def run_gates(self, gating: Gating, *, timeout_s: float, watch: Watch) -> Choice:  # noqa: ARG002 - no progress
        """Have the daemon run a gate, wait for it, and read its verdicts and runs."""
        started = await self._gate_request("gate", body={**_gate_body(gating), "timeout_s": timeout_s})
        gate = started
        async with asyncio.timeout(timeout_s + 60):
            while gate["status"] == GateStatus.RUNNING:
                await asyncio.sleep(_POLL_S)
                gate = await self._client.get("gate", started["gate_id"])
        result = gate["result"] or {}
        if gate["status"] != GateStatus.FINISHED:
            kind = ComparisonError if result.get("exit_code", NOT_MEASURED) == REFUSED else MonitorError
            raise kind(result.get("problem", "the gate failed without a reason"))
        return choose([await self._report(each, gating) for each in result.get("candidates", [result])])

    async def _gate_request(self, *path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a gate request; one that names something unknown is an error of configuration, as locally."""
        try:
            return await self._client.post(*path, body=body)
        except RefusedError as error:
            where, colon, problem = error.detail.partition(": ")
            if error.status == 404 and colon:
                raise ConfigError(where, problem) from error
            raise

    async def _report(self, result: Mapping[str, Any], gating: Gating) -> GateReport:
        """The report of one candidate: its verdict, and its runs measured again from their outcomes."""
        verdict = nouns.verdict(result["verdict"])
        measured = []
        for run_id in verdict.run_ids:
            run = await self.records.load_run(run_id)
            suite = await self.records.load_suite(run.suite_digest)
            plan = Plan(target=verdict.target, suites=(suite,), policy=verdict.policy)
            measured.append(measure(run, suite, plan.measures))
        return GateReport(verdict=verdict, measured=tuple(measured), rules=gating.rules, n_queries=result["queries"])


def _gate_body(gating: Gating) -> dict[str, Any]:
    return {
        "target": gating.target,
        "candidates": list(gating.candidates),
        "baseline": gating.baseline,
        "suites": list(gating.suites),
        "policy": gating.policy,
        "fail_on": sorted(gating.rules.fail_on),
        "inconclusive_as": gating.rules.inconclusive_as,
        "require_baseline": gating.rules.require_baseline,
        "early_stopping": gating.is_sequential,
    }

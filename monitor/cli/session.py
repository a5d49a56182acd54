"""What a command works on: stored records, and the configuration that belongs to them, here or at a daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from monitor.alerting import attention
    from monitor.cli.place import Place
    from monitor.gate.candidates import Choice
    from monitor.gate.cost import Cost
    from monitor.model.audit import AuditEntry
    from monitor.model.incidents import Incident
    from monitor.model.policies import Policy
    from monitor.model.silences import Silence
    from monitor.ports.ledger import LedgerStore
    from monitor.ports.records import Records
    from monitor.probing.replay import Watch
    from monitor.service.gating import Gating
    from monitor.service.wiring import CheckedConfig


@dataclass(frozen=True, slots=True)
class WatchedTarget:
    """A target that a schedule probes."""

    target: str
    suites: tuple[str, ...]
    """Their own names."""
    policy: str


class Session(Protocol):
    """Records and configuration of one installation. Raises `MonitorError`s as a command prints them."""

    @property
    def records(self) -> Records:
        """The stored records."""
        ...

    async def policy(self, name: str) -> Policy:
        """A policy by name. Raises ConfigError for an unknown name."""
        ...

    async def silences_of_configuration(self) -> Sequence[Silence]:
        """The silences of the configuration."""
        ...

    async def watched_targets(self) -> Sequence[WatchedTarget]:
        """The targets of the schedules."""
        ...

    async def require_target(self, name: str) -> None:
        """Raise ConfigError unless the configuration has a target of this name."""
        ...

    def audit_entries(self, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """Every entry of the audit log after a number, oldest first."""
        ...

    async def acknowledge(self, incident_id: str, *, by: str) -> Incident:
        """Acknowledge an incident and have its alerts sent. Raises StoreError if its status forbids it."""
        ...

    async def dismiss(self, incident_id: str, *, by: str, reason: str) -> Incident:
        """Dismiss an incident and have its alerts sent. Raises StoreError if its status forbids it."""
        ...

    async def gate_costs(self, gating: Gating) -> Sequence[tuple[str, Cost]]:
        """The cost of a gate, for each candidate."""
        ...

    async def run_gates(self, gating: Gating, *, timeout_s: float, watch: Watch) -> Choice:
        """Gate every candidate. Raises TimeoutError beyond the time."""
        ...


@asynccontextmanager
async def open_session(place: Place, *targets: str, needs_file: bool = False) -> AsyncIterator[Session]:
    """The session at a place, closed at the end. Where all ``targets`` are URLs, no file is needed."""
    if place.server is not None:
        from monitor.adapters.stores.remote.client import ApiClient
        from monitor.cli.remote_session import RemoteSession

        client = ApiClient(place.server, place.token)
        try:
            yield RemoteSession(client)
        finally:
            await client.close()
        return
    from monitor.cli.url_targets import load_with_targets
    from monitor.service import wiring
    from monitor.service.ledger import open_ledger

    checked = wiring.load(place.config) if needs_file else load_with_targets(place.config, *targets)
    async with open_ledger(checked.config) as store:
        yield LocalSession(checked, store)


@dataclass(frozen=True, slots=True)
class LocalSession:
    """A session in the database of a configuration file."""

    checked: CheckedConfig
    records: LedgerStore

    async def policy(self, name: str) -> Policy:
        """A policy of the file."""
        return self.checked.config.policy(name)

    async def silences_of_configuration(self) -> Sequence[Silence]:
        """The silences of the file."""
        return self.checked.config.on_call.silences

    async def watched_targets(self) -> Sequence[WatchedTarget]:
        """The schedules of the file."""
        from monitor.service import wiring

        config = self.checked.config
        suites = wiring.watched_suites(config)
        return [WatchedTarget(each.target, suites[name], each.policy) for name, each in config.schedules.items()]

    async def require_target(self, name: str) -> None:
        """Raise ConfigError for a target that the file does not have."""
        from monitor.service import wiring

        wiring.require_target(self.checked, name)

    def audit_entries(self, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """The audit log of the database."""
        return self.records.all_audit_entries(after=after)

    async def acknowledge(self, incident_id: str, *, by: str) -> Incident:
        """Acknowledge an incident, and deliver its alerts now."""
        from monitor.incidents import lifecycle
        from monitor.service import wiring

        at = wiring.utc_now()
        return await self._change(
            incident_id,
            lambda incident, on_call, facts: lifecycle.acknowledge(incident, on_call, by=by, at=at, facts=facts),
            "acknowledged",
        )

    async def dismiss(self, incident_id: str, *, by: str, reason: str) -> Incident:
        """Dismiss an incident, and deliver its alerts now."""
        from monitor.incidents import lifecycle
        from monitor.service import wiring

        at = wiring.utc_now()
        return await self._change(
            incident_id,
            lambda incident, on_call, facts: lifecycle.dismiss(
                incident, on_call, by=by, reason=reason, at=at, facts=facts
            ),
            "dismissed",
        )

    async def _change(self, incident_id: str, step: attention.Change, done: str) -> Incident:
        from monitor.alerting import attention
        from monitor.cli.queued_alerts import deliver_queued
        from monitor.errors import StoreError

        on_call = self.checked.config.on_call
        incident, is_changed = await attention.change_incident(incident_id, step, self.records, on_call)
        if not is_changed:
            raise StoreError(f"incident {incident_id} is {incident.status}: it cannot be {done}")
        await deliver_queued(self.checked, self.records)
        return incident

    async def gate_costs(self, gating: Gating) -> Sequence[tuple[str, Cost]]:
        """The cost of a gate that this process would run."""
        from monitor.service import gating as gates

        planned = gates.plan_gates(self.checked, gating)
        costs = await gates.costs_of(self.checked, gating, planned, self.records)
        return [(gate.plan.target, cost) for gate, cost in zip(planned, costs, strict=True)]

    async def run_gates(self, gating: Gating, *, timeout_s: float, watch: Watch) -> Choice:
        """Probe the candidates from this process."""
        from monitor.service import gating as gates

        return await gates.run_all(
            self.checked, gating, self.records, timeout_s=timeout_s, watch_of=lambda _name, _total: watch
        )

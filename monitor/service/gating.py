"""Gates over a checked configuration: targets by name or URL, suites by default, one candidate or several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from monitor.errors import ConfigError
from monitor.gate.candidates import Choice, choose, divided
from monitor.gate.cost import Cost, cost_of
from monitor.gate.gate import GatePlan, run_gate
from monitor.model.gates import GateReport, GateRules
from monitor.ports.store import Store
from monitor.probing.replay import Watch
from monitor.service import wiring
from monitor.world import World

WatchOf = Callable[[str, int], Watch]
"""The watch over the probes of one candidate, of so many queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gating:
    """A requested gate, as a person or a pipeline writes it."""

    target: str | None = None
    """The target that is gated, or whose promoted baseline a candidate must hold."""
    candidates: tuple[str, ...] = ()
    """What may replace it; empty for the target itself."""
    baseline: str | None = None
    """A live target to compare with, instead of the promoted baseline."""
    suites: tuple[str, ...] = ()
    policy: str = "default"
    rules: GateRules = field(default_factory=GateRules)
    is_sequential: bool = True

    @property
    def trusted(self) -> str:
        """The target whose baseline counts, or the live baseline. Raises ConfigError if none is named."""
        trusted = self.baseline or self.target
        if trusted is None:
            raise ConfigError("gate", "give --target, or --candidate and --baseline")
        if self.baseline is not None and not self.names:
            raise ConfigError("gate", "--baseline needs a --candidate or a --target to compare with it")
        return trusted

    @property
    def names(self) -> tuple[str, ...]:
        """The targets that are asked."""
        return self.candidates or ((self.target,) if self.target else ())

    @property
    def addresses(self) -> tuple[str, ...]:
        """Everything that may be a name or a URL."""
        return tuple(name for name in dict.fromkeys((*self.names, self.target, self.baseline)) if name)


def plan_gates(checked: wiring.CheckedConfig, gating: Gating) -> list[GatePlan]:
    """The gate of each candidate. Raises ConfigError naming the mistake."""
    suites = gating.suites or default_suites(checked, gating)
    trusted = gating.trusted
    if gating.baseline is not None:
        wiring.require_target(checked, gating.baseline)
    plans = [wiring.plan_for(checked, name, suites, gating.policy) for name in gating.names]
    gates = [
        GatePlan(plan=plan, trusted=trusted, rules=gating.rules, is_sequential=gating.is_sequential) for plan in plans
    ]
    if len(gates) == 1:
        return gates
    return [divided(gate, gate.plan.target, len(gates)) for gate in gates]


def default_suites(checked: wiring.CheckedConfig, gating: Gating) -> tuple[str, ...]:
    """The suites of the schedules of the target; without one, all of the configuration."""
    names = {gating.target, gating.baseline}
    schedules = [schedule for schedule in checked.config.schedules.values() if schedule.target in names]
    return tuple(dict.fromkeys(suite for schedule in schedules for suite in schedule.suites)) or tuple(
        checked.config.suites
    )


@asynccontextmanager
async def worlds_of(
    checked: wiring.CheckedConfig, gating: Gating, gate: GatePlan, store: Store
) -> AsyncIterator[tuple[World, World | None]]:
    """The worlds of a candidate and of a live baseline, closed at the end."""
    async with AsyncExitStack() as stack:

        async def world(target: str) -> World:
            clients = wiring.connect(checked, target)
            stack.push_async_callback(clients.close)
            return wiring.world_of(checked, clients, store)

        candidate = await world(gate.plan.target)
        yield candidate, await world(gating.baseline) if gating.baseline else None


async def costs_of(
    checked: wiring.CheckedConfig, gating: Gating, gates: Sequence[GatePlan], store: Store
) -> list[Cost]:
    """The cost of each candidate."""
    costs = []
    for gate in gates:
        async with worlds_of(checked, gating, gate, store) as (candidate, live):
            costs.append(await cost_of(gate, candidate, live))
    return costs


async def run_all(
    checked: wiring.CheckedConfig, gating: Gating, store: Store, *, timeout_s: float, watch_of: WatchOf
) -> Choice:
    """Gate every candidate, one after the other, within the time. Raises TimeoutError beyond it."""
    reports: list[GateReport] = []
    async with asyncio.timeout(timeout_s):
        for gate in plan_gates(checked, gating):
            async with worlds_of(checked, gating, gate, store) as (candidate, live):
                n_probes = sum(len(suite.queries) for suite in gate.plan.suites) * (2 if live else 1)
                watch = watch_of(gate.plan.target, n_probes)
                reports.append(await run_gate(gate, candidate, live, watch=watch))
    return choose(reports)

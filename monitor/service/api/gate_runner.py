"""Gates that are requested over HTTP: started at once, stored, and finished in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import structlog

from monitor.config.config import Target
from monitor.errors import ComparisonError, ConfigError, MonitorError, SuiteError
from monitor.gate.candidates import Choice
from monitor.gate.cost import Cost
from monitor.model.gates import EXIT_CODES, NOT_MEASURED, Gate, GateRules, GateStatus
from monitor.model.verdicts import VerdictName
from monitor.ports.ledger import LedgerStore
from monitor.reports.gate import gate_to_dict
from monitor.service import gating, wiring
from monitor.service.gating import Gating

_LOG = structlog.get_logger(__name__)

MAX_RUNNING = 4
"""Gates at once; a further one is refused."""
_GRACE = timedelta(minutes=1)


class BusyError(Exception):
    """As many gates run as may."""


@dataclass(slots=True)
class GateRunner:
    """Runs requested gates on the targets of the configuration."""

    store: Callable[[], LedgerStore]
    checked: Callable[[], wiring.CheckedConfig]
    now: Callable[[], datetime]
    _tasks: dict[asyncio.Task[None], Gate] = field(default_factory=dict)

    async def start(self, request: Mapping[str, Any], by: str) -> Gate:
        """Check and store a gate, and run it in the background. Raises ConfigError, or BusyError."""
        requested = gating_of(request)
        checked = with_candidates(self.checked(), requested)
        await asyncio.to_thread(gating.plan_gates, checked, requested)  # refused now, not in the background
        if len(self._tasks) >= MAX_RUNNING:
            raise BusyError(f"{MAX_RUNNING} gates are running; try again when one has finished")
        gate = Gate(gate_id=uuid4().hex, requested_by=by, requested_at=self.now(), request=dict(request))
        await self.store().save_gate(gate)
        task = asyncio.create_task(self._run(gate, checked, requested))
        self._tasks[task] = gate
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return gate

    async def costs(self, request: Mapping[str, Any]) -> list[tuple[str, Cost]]:
        """Each candidate with its cost. Raises ConfigError."""
        requested = gating_of(request)
        checked = with_candidates(self.checked(), requested)
        planned = await asyncio.to_thread(gating.plan_gates, checked, requested)
        costs = await gating.costs_of(checked, requested, planned, self.store())
        return [(gate.plan.target, cost) for gate, cost in zip(planned, costs, strict=True)]

    async def load(self, gate_id: str) -> Gate | None:
        """A gate; one that is still running after its time counts as failed, because its process is gone."""
        gate = await self.store().load_gate(gate_id)
        if gate is None or gate.status is not GateStatus.RUNNING:
            return gate
        if self.now() - gate.requested_at < timedelta(seconds=_timeout_s(gate.request)) + _GRACE:
            return gate
        return replace(gate, status=GateStatus.FAILED, result={"problem": "the process that ran the gate is gone"})

    async def stop(self) -> None:
        """Cancel the gates that run; they are stored as failed."""
        tasks = dict(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for gate in tasks.values():
            await self._finish(gate, GateStatus.FAILED, {"problem": "the daemon stopped before the gate was finished"})

    async def _run(self, gate: Gate, checked: wiring.CheckedConfig, requested: Gating) -> None:
        status: GateStatus = GateStatus.FAILED
        try:
            choice = await gating.run_all(
                checked, requested, self.store(), timeout_s=_timeout_s(gate.request), watch_of=lambda *_: lambda _: None
            )
            status, result = GateStatus.FINISHED, _result(choice)
        except TimeoutError:
            result = {"problem": "the gate took longer than its timeout_s"}
        except MonitorError as error:
            result = {"problem": str(error), "exit_code": _exit_code_of(error)}
        except Exception as error:  # noqa: BLE001 - the caller gets a result, the daemon continues
            _LOG.exception("gate_failed", gate=gate.gate_id)
            result = {"problem": f"an unforeseen {type(error).__name__}; the daemon's log has the details"}
        await self._finish(gate, status, result)

    async def _finish(self, gate: Gate, status: GateStatus, result: dict[str, Any]) -> None:
        try:
            await self.store().save_gate(replace(gate, status=status, result=result, finished_at=self.now()))
        except MonitorError as error:
            _LOG.error("gate_not_stored", gate=gate.gate_id, problem=str(error))


def _result(choice: Choice) -> dict[str, Any]:
    result = gate_to_dict(choice.strongest or choice.reports[-1])
    if len(choice.reports) == 1:
        return result
    name = choice.strongest.verdict.target if choice.strongest else None
    candidates = [gate_to_dict(report) for report in choice.reports]
    return result | {"exit_code": choice.exit_code, "strongest": name, "candidates": candidates}


def _exit_code_of(error: MonitorError) -> int:
    """The exit code that the gate of the command line has for an error."""
    is_refused = isinstance(error, ConfigError | SuiteError | ComparisonError)
    return EXIT_CODES[VerdictName.INVALID] if is_refused else NOT_MEASURED


def gating_of(request: Mapping[str, Any]) -> Gating:
    """The gate that a request describes. Raises ConfigError for an unknown verdict."""
    rules = GateRules.read(request["fail_on"], request["inconclusive_as"], require_baseline=request["require_baseline"])
    return Gating(
        target=request["target"],
        candidates=tuple(request["candidates"]),
        baseline=request["baseline"],
        suites=tuple(request["suites"]),
        policy=request["policy"],
        rules=rules,
        is_sequential=request["early_stopping"],
    )


def with_candidates(checked: wiring.CheckedConfig, requested: Gating) -> wiring.CheckedConfig:
    """The configuration with a target for each URL. Raises ConfigError for a host that is not allowed."""
    server = checked.config.server
    urls = [name for name in requested.addresses if name.startswith(("http://", "https://"))]
    for url in urls:
        if urlsplit(url).netloc not in server.candidate_hosts:
            raise ConfigError("candidates", f"{url!r:.100}: its host is not in server.candidate_hosts")
    if not urls:
        return checked
    networks = list(map(str, server.allow_private))
    targets = {url: Target(retriever={"kind": "http", "url": url, "allow_private": networks}) for url in urls}
    return wiring.assemble(checked.config.model_copy(update={"targets": {**checked.config.targets, **targets}}))


def _timeout_s(request: Mapping[str, Any]) -> float:
    return float(request.get("timeout_s", 1_800))

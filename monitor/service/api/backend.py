"""The backend of the HTTP API: the store, the configuration in force, and the gates that run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from monitor.model.access import Caller
from monitor.ports.ledger import LedgerStore
from monitor.service.api.access import Guard
from monitor.service.api.gate_runner import GateRunner
from monitor.service.wiring import CheckedConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Everything behind the API."""

    store: Callable[[], LedgerStore]
    """The open store. Raises StoreError while there is none."""
    checked: Callable[[], CheckedConfig]
    """The configuration in force."""
    now: Callable[[], datetime]
    guard: Guard
    gates: GateRunner
    wake: Callable[[], None] = lambda: None
    """Called when alerts may have been queued."""

    async def sign(self, caller: Caller, person: str, action: str, subject: str) -> None:
        """Record in the audit log that the caller acted for a person, if the request names one."""
        if person and person != caller.name:
            detail = json.dumps({"action": action, "subject": subject}, sort_keys=True)
            await self.store().record(caller.name, "request.on_behalf", person, detail=detail)


def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


TheBackend = Annotated[Backend, Depends(_backend)]
TheCaller = Annotated[Caller, Depends(_caller)]

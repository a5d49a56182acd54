"""Gates: a verdict that a pipeline requests and waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class GateStatus(StrEnum):
    """How far a gate got."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One requested gate, and its result once it has one."""

    gate_id: str
    requested_by: str
    requested_at: datetime
    request: Mapping[str, Any]
    status: GateStatus = GateStatus.RUNNING
    finished_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    """Verdict, exit code and report; for a failed gate the problem."""

"""The part of a store behind the HTTP API: the audit log, tokens, remembered responses and gates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.model.access import Token
from monitor.model.audit import AuditEntry, Head
from monitor.model.deployments import Baseline, Swap
from monitor.model.gates import Gate
from monitor.ports.store import Store


@dataclass(frozen=True, slots=True)
class RememberedResponse:
    """The response to a request with an idempotency key. ``status`` is None while the first request runs."""

    request_digest: str
    status: int | None
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class PastBaseline:
    """A baseline, current or retired."""

    baseline: Baseline
    retired_at: datetime | None


class Ledger(Protocol):
    """Storage of the HTTP API. Raises `StoreError` and nothing else."""

    async def record(self, actor: str, action: str, subject: str, *, reason: str = "", detail: str = "{}") -> None:
        """Append an entry to the audit log. The store itself records whatever passes through it."""
        ...

    async def audit_head(self) -> Head:
        """The latest entry."""
        ...

    async def audit_entries(self, *, after: int = 0, limit: int = 1_000) -> list[AuditEntry]:
        """Entries after a number, oldest first."""
        ...

    def all_audit_entries(self, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """Every entry after a number, oldest first, read in pages."""
        ...

    async def add_token(self, token: Token) -> None:
        """Store a new token."""
        ...

    async def token(self, token_id: str) -> Token | None:
        """One token."""
        ...

    async def tokens(self) -> list[Token]:
        """Every token, newest first; revoked ones too."""
        ...

    async def touch_token(self, token_id: str, at: datetime) -> None:
        """Store when a token was last used."""
        ...

    async def revoke_token(self, token_id: str, *, by: str, at: datetime) -> bool:
        """Revoke a token. Returns False if it is unknown or was revoked before."""
        ...

    async def claim_key(self, caller: str, key: str, request_digest: str, at: datetime) -> RememberedResponse | None:
        """Claim an idempotency key for a request; None if it was free, else the earlier request and its response.

        Keys older than a day are forgotten.
        """
        ...

    async def remember_response(self, caller: str, key: str, response: RememberedResponse) -> None:
        """Store the response of a claimed key."""
        ...

    async def release_key(self, caller: str, key: str) -> None:
        """Free a claimed key, because the request failed and may be sent again."""
        ...

    async def save_gate(self, gate: Gate) -> None:
        """Store a gate, or its next state."""
        ...

    async def load_gate(self, gate_id: str) -> Gate | None:
        """One gate."""
        ...

    async def baseline_history(self, target: str | None = None, limit: int = 50) -> list[PastBaseline]:
        """Baselines, current and retired, newest first."""
        ...

    async def list_swaps(self, target: str | None = None, limit: int = 50) -> Sequence[Swap]:
        """Detected changes of deployments, newest first."""
        ...


class LedgerStore(Store, Ledger, Protocol):
    """A store with the ledger behind the HTTP API."""

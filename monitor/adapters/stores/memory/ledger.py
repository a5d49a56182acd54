"""The in-memory store with the ledger behind the HTTP API. Its audit log holds only explicit records."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.model.access import Token
from monitor.model.audit import AuditEntry, Head, hash_of
from monitor.model.deployments import Swap
from monitor.model.gates import Gate
from monitor.ports.ledger import PastBaseline, RememberedResponse


@dataclass(slots=True)
class MemoryLedgerStore(MemoryStore):
    """Keeps everything in dictionaries until the process exits."""

    entries: list[AuditEntry] = field(default_factory=list)
    stored_tokens: dict[str, Token] = field(default_factory=dict)
    responses: dict[tuple[str, str], RememberedResponse] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)

    async def record(self, actor: str, action: str, subject: str, *, reason: str = "", detail: str = "{}") -> None:
        """Append an entry to the audit log."""
        entry = AuditEntry(
            number=len(self.entries) + 1,
            recorded_at=datetime.now(UTC),
            actor=actor,
            action=action,
            subject=subject,
            reason=reason,
            detail=detail,
            previous=(await self.audit_head()).hash,
            hash="",
        )
        self.entries.append(replace(entry, hash=hash_of(entry)))

    async def audit_head(self) -> Head:
        """The latest entry."""
        return Head(self.entries[-1].number, self.entries[-1].hash) if self.entries else Head()

    async def audit_entries(self, *, after: int = 0, limit: int = 1_000) -> list[AuditEntry]:
        """Entries after a number, oldest first."""
        return self.entries[after : after + limit]

    async def all_audit_entries(self, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """Every entry after a number, oldest first."""
        for entry in self.entries[after:]:
            yield entry

    async def add_token(self, token: Token) -> None:
        """Store a new token."""
        self.stored_tokens[token.token_id] = token

    async def token(self, token_id: str) -> Token | None:
        """One token."""
        return self.stored_tokens.get(token_id)

    async def tokens(self) -> list[Token]:
        """Every token, newest first; revoked ones too."""
        return list(reversed(self.stored_tokens.values()))

    async def touch_token(self, token_id: str, at: datetime) -> None:
        """Store when a token was last used."""
        self.stored_tokens[token_id] = replace(self.stored_tokens[token_id], last_used_at=at)

    async def revoke_token(self, token_id: str, *, by: str, at: datetime) -> bool:
        """Revoke a token. Returns False if it is unknown or was revoked before."""
        token = self.stored_tokens.get(token_id)
        if token is None or token.revoked_at is not None:
            return False
        self.stored_tokens[token_id] = replace(token, revoked_at=at, revoked_by=by)
        return True

    async def claim_key(self, caller: str, key: str, request_digest: str, at: datetime) -> RememberedResponse | None:  # noqa: ARG002 - nothing is forgotten
        """Claim an idempotency key for a request; None if it was free."""
        if (earlier := self.responses.get((caller, key))) is not None:
            return earlier
        self.responses[caller, key] = RememberedResponse(request_digest, None, {}, "")
        return None

    async def remember_response(self, caller: str, key: str, response: RememberedResponse) -> None:
        """Store the response of a claimed key."""
        self.responses[caller, key] = response

    async def release_key(self, caller: str, key: str) -> None:
        """Free a claimed key, because the request failed and may be sent again."""
        self.responses.pop((caller, key), None)

    async def save_gate(self, gate: Gate) -> None:
        """Store a gate, or its next state."""
        self.gates[gate.gate_id] = gate

    async def load_gate(self, gate_id: str) -> Gate | None:
        """One gate."""
        return self.gates.get(gate_id)

    async def baseline_history(self, target: str | None = None, limit: int = 50) -> list[PastBaseline]:
        """Baselines, current and retired, newest first."""
        later: dict[tuple[str, str], datetime] = {}
        history = []
        for baseline in reversed(self.promoted):
            place = (baseline.target, baseline.suite_name)
            history.append(PastBaseline(baseline, later.get(place)))
            later[place] = baseline.promoted_at
        return [each for each in history if target in (None, each.baseline.target)][:limit]

    async def list_swaps(self, target: str | None = None, limit: int = 50) -> list[Swap]:
        """Detected changes of deployments, newest first."""
        swaps = [swap for swap in self.swaps if target in (None, swap.target)]
        return sorted(swaps, key=lambda swap: swap.detected_at, reverse=True)[:limit]

"""Access to the HTTP API: tokens and their scopes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """Rights of a token. ``admin`` includes the others."""

    READ = "read"
    """Read everything but tokens."""
    DEPLOY = "deploy"
    """Declare deployments."""
    RUN = "run"
    """Send probes: gates and comparisons of live targets."""
    ADMIN = "admin"
    """Promote baselines, change incidents and silences, read the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token. Only the hash of its secret is stored."""

    token_id: str
    name: str
    hash: str
    """SHA-256 of the secret, which has 256 random bits."""
    scopes: tuple[Scope, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str = ""

    def is_valid(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request, and their rights."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether a scope is granted."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

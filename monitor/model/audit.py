"""The audit log: who did what, when and why, in a chain of hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry. Its hash covers every other field, including the hash of the entry before."""

    number: int
    recorded_at: datetime
    actor: str
    action: str
    """Such as ``baseline.promoted``."""
    subject: str
    """The target, suite, incident or token that the action is about."""
    reason: str
    detail: str
    """JSON, exactly as it was hashed: digests of the inputs, ids, seeds."""
    previous: str
    """Hash of the entry before; empty for the first."""
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The latest entry of the log. A copy kept elsewhere shows later whether entries were cut off."""

    number: int = 0
    hash: str = ""

    @property
    def as_number(self) -> int:
        """The first 52 bits of the hash, which a Prometheus sample holds exactly; 0 for an empty log."""
        return int(self.hash[:13] or "0", 16)


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of reading the whole log again."""

    head: Head
    problem: str = ""
    """The first broken entry and why it is broken; empty if the chain is whole."""


def hash_of(entry: AuditEntry) -> str:
    """SHA-256 over every field but the hash, each with its length in bytes, so that no two entries read the same.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> first = AuditEntry(
    ...     number=1, recorded_at=datetime(2026, 1, 2, tzinfo=UTC), actor="ada", action="baseline.promoted",
    ...     subject="docs", reason="reviewed", detail="{}", previous="", hash="",
    ... )
    >>> hash_of(first)[:12]
    'c49e64d2248c'
    """
    recorded_at = entry.recorded_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    texts = (entry.actor, entry.action, entry.subject, entry.reason, entry.detail, entry.previous)
    digest = hashlib.sha256()
    for value in (str(entry.number), recorded_at, *texts):
        content = value.encode()
        digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()


def verify(entries: Iterable[AuditEntry], start: Head = Head(), expected: Head | None = None) -> Verification:
    """Follow the chain after ``start``, entry by entry.

    A changed, missing, added or moved entry breaks it. An end that was cut off breaks nothing by itself: it is found
    by ``expected``, a head that was noted earlier.
    """
    head, is_included = start, start == expected
    for entry in entries:
        if entry.number != head.number + 1:
            return Verification(head, f"entry {head.number + 1} is missing; entry {entry.number} follows")
        if entry.previous != head.hash:
            return Verification(head, f"entry {entry.number} does not follow entry {head.number}: its link differs")
        if entry.hash != hash_of(entry):
            return Verification(head, f"entry {entry.number} was changed: its content does not give its hash")
        head = Head(entry.number, entry.hash)
        is_included = is_included or head == expected
    if expected is not None and not is_included:
        cut = f"the log ends at entry {head.number}" if expected.number > head.number else "the log was rewritten"
        return Verification(head, f"entry {expected.number} with hash {expected.hash[:12]}… is not in the log; {cut}")
    return Verification(head)

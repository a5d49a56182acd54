"""Signatures of requests that on-call services send."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from monitor.errors import NotifierError, Reason


def check_signature(secret: str, content: bytes, signatures: Iterable[str]) -> None:
    """Raise NotifierError unless one of the signatures is the HMAC-SHA256 of the content, in hexadecimal."""
    expected = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    if not any(hmac.compare_digest(expected.encode(), each.encode()) for each in signatures):
        raise NotifierError(Reason.UNAUTHORISED, "the signature does not match")

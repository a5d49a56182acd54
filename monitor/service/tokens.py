"""Tokens: made once, shown once, stored as a hash, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

from monitor.errors import ConfigError
from monitor.model.access import Scope, Token

PREFIX = "rw"
"""Tokens begin with it, so that scanners find one in a repository."""


def new_token(
    name: str, scopes: Sequence[Scope], *, by: str, at: datetime, expires_at: datetime | None = None
) -> tuple[Token, str]:
    """A token to store, and its text, which exists only here."""
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = Token(
        token_id=token_id,
        name=name,
        hash=hash_of(secret),
        scopes=tuple(scopes),
        created_by=by,
        created_at=at,
        expires_at=expires_at,
    )
    return token, f"{PREFIX}_{token_id}_{secret}"


def hash_of(secret: str) -> str:
    """SHA-256; the secret has 256 random bits, so that a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def split(text: str) -> tuple[str, str] | None:
    """The id and the secret of a token; None for a text of another form."""
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    return (token_id, secret) if prefix == PREFIX and token_id and secret else None


def is_secret_of(secret: str, token: Token | None) -> bool:
    """Whether the secret belongs to the token; takes equally long for an unknown one."""
    expected = token.hash if token else hash_of("")
    return hmac.compare_digest(hash_of(secret), expected) and token is not None


def scopes_of(names: Sequence[str]) -> tuple[Scope, ...]:
    """Scopes by name, each once. Raises ConfigError for an unknown one."""
    for name in names:
        if name not in set(Scope):
            raise ConfigError("--scope", f'unknown scope "{name}"; known scopes: {", ".join(Scope)}')
    return tuple(dict.fromkeys(map(Scope, names)))

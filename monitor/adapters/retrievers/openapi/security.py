"""Place a credential where the security scheme of an operation wants it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from monitor.adapters.retrievers.openapi.document import Document, Operation
from monitor.errors import ConfigError


class Credential(NamedTuple):
    """Headers and query parameters that carry a credential."""

    headers: Mapping[str, str]
    parameters: Mapping[str, str]


NOTHING = Credential({}, {})


def place_credential(
    document: Document, operation: Operation, credential: str | None, headers: Iterable[str]
) -> Credential:
    """The credential as the operation requires it.

    Raises ConfigError if one is required, and neither ``credential`` nor a header of that name is configured.
    """
    alternatives = document.security(operation)
    if not alternatives or {} in alternatives:
        return NOTHING
    configured = {header.lower() for header in headers}
    schemes = [scheme for alternative in alternatives for scheme in _single(document, alternative)]
    if any(_place(scheme)[1].lower() in configured for scheme in schemes if _place(scheme)[0] == "header"):
        return NOTHING
    names = " or ".join(dict.fromkeys(map(_describe, schemes))) or "several credentials at once: set headers"
    if credential is None:
        raise ConfigError("credential", f"is missing; the operation requires {names}; set is_open: true if it does not")
    if not schemes:
        raise ConfigError("credential", f"cannot be placed; the operation requires {names}")
    place, name = _place(schemes[0])
    value = _value(schemes[0], credential)
    if place == "query":
        return Credential({}, {name: value})
    return Credential({"cookie": f"{name}={value}"} if place == "cookie" else {name: value}, {})


def _single(document: Document, alternative: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The scheme of an alternative that requires exactly one."""
    schemes = [document.security_scheme(name) for name in alternative]
    return schemes if len(schemes) == 1 else []


def _place(scheme: Mapping[str, Any]) -> tuple[str, str]:
    if scheme.get("type") == "apiKey":
        return str(scheme.get("in", "header")), str(scheme.get("name", "authorization"))
    return "header", "authorization"


def _value(scheme: Mapping[str, Any], credential: str) -> str:
    if scheme.get("type") == "apiKey":
        return credential
    if str(scheme.get("scheme", "bearer")).lower() == "basic":
        return f"Basic {b64encode(credential.encode()).decode()}"
    return f"Bearer {credential}"  # also OAuth 2 and OpenID Connect


def _describe(scheme: Mapping[str, Any]) -> str:
    place, name = _place(scheme)
    if scheme.get("type") == "apiKey":
        return f"an API key in the {place} {name}"
    return "user:password" if str(scheme.get("scheme", "")).lower() == "basic" else "a bearer token"

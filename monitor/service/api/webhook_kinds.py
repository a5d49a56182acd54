"""Webhooks of other tools: how each one signs a request, and where it names the deployment. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Headers = Mapping[str, str]
"""Names in lower case."""
MAX_AGE_S = 300.0
"""A signature over an older time is refused, so that a request cannot be sent again later."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The deployment that a webhook names."""

    name: str
    detail: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WebhookKind:
    """How a tool signs its requests, and how its body is read."""

    is_genuine: Callable[[str, Headers, bytes, float], bool]
    """Whether secret, headers, body and the time in seconds fit together."""
    read: Callable[[Headers, Mapping[str, Any]], Declared | None]
    """The deployment; None for an event that deploys nothing."""


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _hex_signature(header: str) -> Callable[[str, Headers, bytes, float], bool]:
    """HMAC-SHA256 of the body in hexadecimal, with or without ``sha256=`` before it."""

    def is_genuine(secret: str, headers: Headers, body: bytes, _now: float) -> bool:
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return _equal(expected, headers.get(header, "").removeprefix("sha256=").lower())

    return is_genuine


def _shared_secret(header: str, prefix: str = "") -> Callable[[str, Headers, bytes, float], bool]:
    """The secret itself in a header."""
    return lambda secret, headers, _body, _now: _equal(prefix + secret, headers.get(header, ""))


def _mlflow_signature(secret: str, headers: Headers, body: bytes, now: float) -> bool:
    """``v1,`` and the base64 HMAC-SHA256 of delivery id, time and body, joined by dots."""
    sent_at, delivery = headers.get("x-mlflow-timestamp", ""), headers.get("x-mlflow-delivery-id", "")
    if not sent_at.isdigit() or abs(now - float(sent_at)) > MAX_AGE_S:
        return False
    signed = f"{delivery}.{sent_at}.".encode() + body
    digest = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    return _equal(f"v1,{digest}", headers.get("x-mlflow-signature", ""))


def _github(headers: Headers, body: Mapping[str, Any]) -> Declared | None:
    """A deployment that succeeded, or a published release."""
    event = headers.get("x-github-event", "")
    if event == "deployment_status" and _text(body, "deployment_status", "state") == "success":
        name = _text(body, "deployment", "sha")
        return _declared(name, body, ref=("deployment", "ref"), environment=("deployment", "environment"))
    if event == "release" and body.get("action") == "published":
        return _declared(_text(body, "release", "tag_name"), body, repository=("repository", "full_name"))
    return None


def _gitlab(_: Headers, body: Mapping[str, Any]) -> Declared | None:
    """A deployment that succeeded."""
    if body.get("object_kind") != "deployment" or body.get("status") != "success":
        return None
    return _declared(_text(body, "short_sha"), body, ref=("ref",), environment=("environment",))


def _argo_cd(_: Headers, body: Mapping[str, Any]) -> Declared | None:
    """A finished sync, in the body that the notification template of the documentation sends."""
    if body.get("phase") not in (None, "Succeeded"):
        return None
    return _declared(_text(body, "revision"), body, app=("app",), images=("images",))


def _flux(_: Headers, body: Mapping[str, Any]) -> Declared | None:
    """A reconciled revision."""
    metadata = body.get("metadata")
    if body.get("severity") == "error" or not isinstance(metadata, Mapping):
        return None
    revision = next((str(value) for key, value in metadata.items() if str(key).endswith("revision")), "")
    return _declared(revision, body, kind=("involvedObject", "kind"), object=("involvedObject", "name"))


def _hugging_face(_: Headers, body: Mapping[str, Any]) -> Declared | None:
    """New content on the main branch of a repository."""
    if not _text(body, "event", "scope").startswith("repo.content"):
        return None
    references = body.get("updatedRefs") or []
    main = [each for each in references if isinstance(each, Mapping) and each.get("ref") == "refs/heads/main"]
    if references and not main:
        return None
    digest = str(main[0].get("newSha") or "") if main else _text(body, "repo", "headSha")
    name = _text(body, "repo", "name")
    return _declared(f"{name}@{digest[:12]}" if name and digest else "", body, type=("repo", "type"))


def _mlflow(_: Headers, body: Mapping[str, Any]) -> Declared | None:
    """A new version of a model, or an alias that points to one."""
    if body.get("entity") not in ("model_version", "model_version_alias") or body.get("action") not in (
        "created",
        "set",
    ):
        return None
    name, version = _text(body, "data", "name"), _text(body, "data", "version")
    return _declared(f"{name}/{version}" if name and version else "", body, alias=("data", "alias"))


def _declared(name: str, body: Mapping[str, Any], **places: tuple[str, ...]) -> Declared | None:
    detail = {key: text for key, place in places.items() if (text := _text(body, *place))}
    return Declared(name, detail) if name.strip() else None


def _text(body: Any, *place: str) -> str:
    """The text at a place; empty if there is none."""
    for key in place:
        body = body.get(key) if isinstance(body, Mapping) else None
    if isinstance(body, list):
        return ", ".join(map(str, body))
    return str(body) if isinstance(body, str | int) and not isinstance(body, bool) else ""


KINDS = {
    "github": WebhookKind(_hex_signature("x-hub-signature-256"), _github),
    "gitlab": WebhookKind(_shared_secret("x-gitlab-token"), _gitlab),
    "argo_cd": WebhookKind(_shared_secret("authorization", "Bearer "), _argo_cd),
    "flux": WebhookKind(_hex_signature("x-signature"), _flux),
    "hugging_face": WebhookKind(_shared_secret("x-webhook-secret"), _hugging_face),
    "mlflow": WebhookKind(_mlflow_signature, _mlflow),
}
SIGNED_BODY = _hex_signature("x-signature-256")
"""The signature of kind ``hmac``."""

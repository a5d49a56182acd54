"""Access to the HTTP API: rate limits, TLS, sign-in by a proxy, webhooks of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, IPvAnyNetwork, model_validator

from monitor.config.section import Section
from monitor.model.access import Scope

WebhookKind = Literal["github", "gitlab", "hmac", "argo_cd", "flux", "hugging_face", "mlflow"]


class WebhookOptions(Section):
    """A webhook of another tool that declares deployments of a target."""

    kind: WebhookKind
    """The tool that sends it: ``github``, ``gitlab``, ``argo_cd``, ``flux``, ``hugging_face``, ``mlflow``, or ``hmac``
    for any other body with a signature."""
    target: str
    """The target whose deployment it declares, by its name in ``targets``."""
    secret: str | None = Field(default=None, repr=False)
    """The secret that signs each request, or the token that the tool sends with it."""
    secret_file: Path | None = None
    """File with the secret, instead of ``secret``."""
    name_at: str | None = None
    """Where the name of the deployment is in the body, such as ``image.tag``; only for ``hmac``."""

    @model_validator(mode="after")
    def _has_a_secret(self) -> WebhookOptions:
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give either secret or secret_file: an unsigned webhook could declare anything")
        if (self.name_at is None) == (self.kind == "hmac"):
            raise ValueError("name_at belongs to kind hmac, and only there")
        return self


class SignInOptions(Section):
    """People who signed in at a proxy, such as one with OpenID Connect."""

    proxies: Annotated[tuple[str, ...], Field(min_length=1)]
    """Addresses of the proxies; the header of any other sender is ignored."""
    header: str = "X-Forwarded-User"
    """The header in which the proxy sends the name of the person."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)] = (Scope.READ,)
    """What people who signed in may do: ``read``, ``deploy``, ``run`` or ``admin``."""


class AccessOptions(Section):
    """Keys of ``server`` about access."""

    requests_per_minute: Annotated[int, Field(ge=1)] = 600
    """Requests to the API that one token, or one address, may send in a minute."""
    wrong_tokens_per_minute: Annotated[int, Field(ge=1)] = 10
    """Wrong tokens or signatures from one address in a minute; after them it is refused unread."""
    tls_certificate: Path | None = None
    """File with the certificate chain; with ``tls_key`` the server speaks HTTPS."""
    tls_key: Path | None = None
    """File with the private key of the certificate."""
    sign_in: SignInOptions | None = None
    """People who signed in at a proxy."""
    webhooks: dict[str, WebhookOptions] = Field(default={}, repr=False)
    """Webhooks of other tools, by name; each is received at ``/api/v1/webhooks/NAME``."""
    candidate_hosts: tuple[str, ...] = ()
    """Hosts, with a port if it is not the default, that a gate requested over HTTP may probe, besides the targets. Each
    must resolve to a public address, or to one of ``allow_private``."""
    allow_private: tuple[IPvAnyNetwork, ...] = ()
    """Networks such as ``10.20.0.0/16``: loopback and private addresses that a request over HTTP may lead to. What this
    file names is used without it. Link-local addresses and those of metadata services are always refused."""

    @model_validator(mode="after")
    def _has_both_files(self) -> AccessOptions:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together")
        return self

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """The files of the certificate and its key."""
        return (self.tls_certificate, self.tls_key) if self.tls_certificate and self.tls_key else None

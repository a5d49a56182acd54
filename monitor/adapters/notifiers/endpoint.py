"""A URL that takes JSON: how every notifier over HTTP posts, and what the answer means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
from pydantic import Field, SecretStr, model_validator

from monitor.adapters.http import transport
from monitor.adapters.secret import read_one, read_optional
from monitor.config.config import Duration, Section
from monitor.errors import NotifierError


class EndpointOptions(Section):
    """What every notifier over HTTP is told."""

    timeout: Duration = 10.0
    """For a whole delivery; what takes longer is sent again later."""
    allow_private_hosts: tuple[str, ...] = ()
    """Names that may lead to a link-local address (169.254.0.0/16, fe80::/10), where clouds keep their metadata;
    any other name that does is refused. Loopback and private networks are reached where the URL says so."""


class SecretUrlOptions(EndpointOptions):
    """What a notifier is told whose URL is itself the secret: who knows it can post."""

    url: SecretStr | None = Field(default=None, repr=False)
    """Where the message is posted; by ``${ENV}``, for whoever knows it can post."""
    url_file: Path | None = None
    """A file with the URL, instead of ``url``."""

    @model_validator(mode="after")
    def _has_one_url(self) -> SecretUrlOptions:
        self.address()
        return self

    def address(self) -> str:
        """The URL. Raises ValueError if there is none that can be asked."""
        return check_address(read_one(self, "url"), "url")


def check_address(url: str, key: str) -> str:
    """The URL, if it can be asked. Raises ValueError naming the key, and not showing the URL."""
    try:
        return transport.check_url(url)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from None


def bearer(options: EndpointOptions) -> dict[str, str]:
    """The header with the token of the options, if they have one. Raises ValueError if it cannot be sent."""
    token = read_optional(options, "token")
    if token is None:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise ValueError("token must be ASCII")
    return {"authorization": f"Bearer {token}"}


class Endpoint:
    """Posts JSON to one URL. Raises NotifierError and nothing else."""

    def __init__(self, url: str, options: EndpointOptions, headers: Mapping[str, str] | None = None) -> None:
        self._url, credentials = transport.split_credentials(url)
        self._timeout_s = options.timeout
        self._client = transport.open_client(
            timeout_s=options.timeout,
            connections=32,
            headers={**credentials, **(headers or {})},
            allow_private_hosts=options.allow_private_hosts,
        )

    async def post(
        self, content: str | bytes, headers: Mapping[str, str] | None = None, *, answer_bytes: int = 0
    ) -> bytes:
        """Post once; returning means a 2xx. Of the answer, the first ``answer_bytes`` are read and no more."""
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream("POST", self._url, content=content, headers=headers) as response,
            ):
                answer = await _beginning(response, answer_bytes)
        except transport.FAILURES as error:
            told = transport.describe(error, timeout_s=self._timeout_s)
            raise NotifierError(transport.reason_of(error), told) from error
        reason = transport.reason_of_status(response.status_code)
        if reason is not None:
            raise NotifierError(reason, f"HTTP {response.status_code}", retry_after_s=transport.retry_after_s(response))
        return answer

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()


async def _beginning(response: httpx.Response, limit: int) -> bytes:
    if not limit:
        return b""  # a body of any length, or slowness, is left where it is
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) >= limit:
            break
    return content[:limit]

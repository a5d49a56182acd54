"""An HTTP endpoint that accepts JSON: posting and error mapping for every notifier over HTTP."""

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
    """Options of every notifier over HTTP."""

    timeout: Duration = 10.0
    """For a whole delivery; a slower one is aborted and retried later."""


class SecretUrlOptions(EndpointOptions):
    """Options of a notifier whose URL is a secret, because knowing it is enough to post."""

    url: SecretStr | None = Field(default=None, repr=False)
    """Where messages are posted. The URL is a secret: use ``${ENV}``."""
    url_file: Path | None = None
    """A file with the URL, instead of ``url``."""

    @model_validator(mode="after")
    def _has_one_url(self) -> SecretUrlOptions:
        self.address()
        return self

    def address(self) -> str:
        """The URL. Raises ValueError if it is missing or invalid."""
        return check_address(read_one(self, "url"), "url")


def check_address(url: str, key: str) -> str:
    """The URL, if it is valid. Raises ValueError with the key, without the URL."""
    try:
        return transport.check_url(url)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from None


def bearer(options: EndpointOptions) -> dict[str, str]:
    """The authorization header, if the options have a token. Raises ValueError if the token cannot be sent."""
    token = read_optional(options, "token")
    if token is None:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise ValueError("token must be ASCII")
    return {"authorization": f"Bearer {token}"}


class Endpoint:
    """Posts JSON to one URL. Raises only NotifierError."""

    def __init__(self, url: str, options: EndpointOptions, headers: Mapping[str, str] | None = None) -> None:
        self._url, credentials = transport.split_credentials(url)
        self._timeout_s = options.timeout
        self._client = transport.open_client(
            timeout_s=options.timeout,
            connections=32,
            headers={**credentials, **(headers or {})},
        )

    async def post(
        self, content: str | bytes, headers: Mapping[str, str] | None = None, *, answer_bytes: int = 0
    ) -> bytes:
        """Post once and return the first ``answer_bytes`` of the response. Raises NotifierError unless it is a 2xx."""
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream("POST", self._url, content=content, headers=headers) as response,
            ):
                answer = await _beginning(response, answer_bytes)
        except transport.FAILURES as error:
            problem = transport.describe(error, timeout_s=self._timeout_s)
            raise NotifierError(transport.reason_of(error), problem) from error
        reason = transport.reason_of_status(response.status_code)
        if reason is not None:
            raise NotifierError(reason, f"HTTP {response.status_code}", retry_after_s=transport.retry_after_s(response))
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _beginning(response: httpx.Response, limit: int) -> bytes:
    if not limit:
        return b""  # the body is not read, so its length and speed do not matter
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) >= limit:
            break
    return content[:limit]

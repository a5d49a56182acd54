"""A signed webhook, as Standard Webhooks has it: the id stays the same however often it is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport
from pydantic import Field, SecretStr, model_validator
from standardwebhooks import Webhook

from monitor.config import Duration, Section, read_secret
from monitor.errors import NotifierError, Reason
from monitor.verdict import Alert

_HTTPX_ROOTS = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)


class WebhookOptions(Section):
    """Where to send, and what to sign with."""

    url: str = Field(pattern=r"^https?://")
    secret: SecretStr | None = None
    """``whsec_`` and base64; by ``${ENV}``, never in clear."""
    secret_file: Path | None = None
    timeout: Duration = 10.0

    @model_validator(mode="after")
    def _has_one_secret(self) -> WebhookOptions:
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give either secret (as ${ENV}) or secret_file")
        return self


class WebhookNotifier:
    """Posts an alert with its signature."""

    Options = WebhookOptions

    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        plain = options.secret.get_secret_value() if options.secret else None
        self._signer = Webhook(read_secret(plain, options.secret_file, where="secret") or "")
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(client=aiohttp.ClientSession),
            timeout=options.timeout,
            follow_redirects=False,
        )

    async def notify(self, alert: Alert) -> None:
        """Deliver one alert; returning means it was accepted with a 2xx."""
        body = orjson.dumps(alert.payload).decode()
        sent_at = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": "recallwatch",
            "webhook-id": alert.alert_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": self._signer.sign(alert.alert_id, sent_at, body),
        }
        try:
            response = await self._client.post(self._options.url, content=body, headers=headers)
        except httpx.TimeoutException as error:
            raise NotifierError(Reason.TIMEOUT, f"no answer within {self._options.timeout:g} s") from error
        except (*_HTTPX_ROOTS, aiohttp.ClientError, OSError, ValueError) as error:
            raise NotifierError(Reason.UNREACHABLE, f"no connection: {type(error).__name__}") from error
        _refuse_status(response)

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()


def _refuse_status(response: httpx.Response) -> None:
    status = response.status_code
    if 200 <= status < 300:
        return
    reason = Reason.BROKEN if status >= 500 else Reason.REJECTED
    if status in (401, 403):
        reason = Reason.UNAUTHORISED
    if status == 429:
        reason = Reason.RATE_LIMITED
    stated = response.headers.get("retry-after", "")
    raise NotifierError(reason, f"HTTP {status}", retry_after_s=float(stated) if stated.isdigit() else None)

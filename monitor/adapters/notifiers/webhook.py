"""A signed webhook, as Standard Webhooks has it: the id stays the same however often it is sent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import orjson
from pydantic import Field, SecretStr, model_validator
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from monitor.adapters import transport
from monitor.config import Duration, Section, read_secret
from monitor.errors import NotifierError
from monitor.verdict import Alert


class WebhookOptions(Section):
    """Where to send, and what to sign with."""

    url: transport.Url = Field(repr=False)
    """Where the message is posted; user and password in it become basic authentication."""
    secret: SecretStr | None = None
    """``whsec_`` and base64; by ``${ENV}``, never in clear."""
    secret_file: Path | None = None
    """A file with the secret, instead of ``secret``."""
    timeout: Duration = 10.0
    """For a whole delivery; what takes longer is sent again later."""

    @model_validator(mode="after")
    def _has_one_secret(self) -> WebhookOptions:
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give either secret (as ${ENV}) or secret_file")
        self.signer()
        return self

    def signer(self) -> Webhook:
        """What signs. Raises ValueError if the secret cannot."""
        plain = self.secret.get_secret_value() if self.secret else None
        try:
            return Webhook(read_secret(plain, self.secret_file, where="secret") or "")
        except (EmptyWebhookSecretError, ValueError, RuntimeError):
            # From None: the error's own text could show the secret.
            raise ValueError("the secret cannot sign: it must be whsec_ and base64") from None


class WebhookNotifier:
    """Posts an alert with its signature."""

    Options = WebhookOptions

    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        self._signer = options.signer()
        self._url, credentials = transport.split_credentials(options.url)
        self._client = transport.open_client(timeout_s=options.timeout, connections=32, headers=credentials)

    async def notify(self, alert: Alert) -> None:
        """Deliver one alert; returning means it was accepted with a 2xx."""
        body = orjson.dumps(alert.payload).decode()
        sent_at = datetime.now(UTC)
        headers = {
            "webhook-id": alert.alert_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": self._signer.sign(alert.alert_id, sent_at, body),
        }
        try:
            async with (
                asyncio.timeout(self._options.timeout),
                self._client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                pass  # the status is all that counts; a body of any length is left where it is
        except transport.FAILURES as error:
            told = transport.describe(error, timeout_s=self._options.timeout)
            raise NotifierError(transport.reason_of(error), told) from error
        reason = transport.reason_of_status(response.status_code)
        if reason is not None:
            raise NotifierError(reason, f"HTTP {response.status_code}", retry_after_s=transport.retry_after_s(response))

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

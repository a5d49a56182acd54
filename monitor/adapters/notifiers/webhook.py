"""A signed webhook, as Standard Webhooks has it: the id stays the same however often it is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
from pydantic import Field, SecretStr, model_validator
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from monitor.adapters.http import transport
from monitor.adapters.notifiers.endpoint import Endpoint, EndpointOptions
from monitor.adapters.secret import read_one
from monitor.model.alerts import Alert


class WebhookOptions(EndpointOptions):
    """Where to send, and what to sign with."""

    url: transport.Url = Field(repr=False)
    """Where the message is posted; user and password in it become basic authentication."""
    secret: SecretStr | None = None
    """``whsec_`` and base64; by ``${ENV}``, never in clear."""
    secret_file: Path | None = None
    """A file with the secret, instead of ``secret``."""

    @model_validator(mode="after")
    def _can_sign(self) -> WebhookOptions:
        self.signer()
        return self

    def signer(self) -> Webhook:
        """What signs. Raises ValueError if the secret cannot."""
        plain = read_one(self, "secret")
        try:
            return Webhook(plain)
        except (EmptyWebhookSecretError, ValueError, RuntimeError):
            # From None: the error's own text could show the secret.
            raise ValueError("the secret cannot sign: it must be whsec_ and base64") from None


class WebhookNotifier:
    """Posts an alert with its signature."""

    Options = WebhookOptions

    def __init__(self, options: WebhookOptions) -> None:
        self._signer = options.signer()
        self._endpoint = Endpoint(options.url, options)

    async def notify(self, alert: Alert) -> None:
        """Deliver one alert; returning means it was accepted with a 2xx."""
        body = orjson.dumps(alert.payload).decode()
        sent_at = datetime.now(UTC)
        headers = {
            "webhook-id": alert.alert_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": self._signer.sign(alert.alert_id, sent_at, body),
        }
        await self._endpoint.post(body, headers)

    async def close(self) -> None:
        """Give back the connections."""
        await self._endpoint.close()

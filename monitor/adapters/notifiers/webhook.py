"""A signed webhook (Standard Webhooks); retries carry the same id."""

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
    """The receiver's URL and the signing secret."""

    url: transport.Url = Field(repr=False)
    """Where messages are posted; a user and password in the URL are sent as basic authentication."""
    secret: SecretStr | None = None
    """``whsec_`` and base64; use ``${ENV}``, never plain text."""
    secret_file: Path | None = None
    """A file with the secret, instead of ``secret``."""

    @model_validator(mode="after")
    def _can_sign(self) -> WebhookOptions:
        self.signer()
        return self

    def signer(self) -> Webhook:
        """The signer. Raises ValueError if the secret is invalid."""
        plain = read_one(self, "secret")
        try:
            return Webhook(plain)
        except (EmptyWebhookSecretError, ValueError, RuntimeError):
            # From None: the text of the original error could contain the secret.
            raise ValueError("the secret cannot sign: it must be whsec_ and base64") from None


class WebhookNotifier:
    """Posts alerts with their signature."""

    Options = WebhookOptions

    def __init__(self, options: WebhookOptions) -> None:
        self._signer = options.signer()
        self._endpoint = Endpoint(options.url, options)

    async def notify(self, alert: Alert) -> None:
        """Post one alert; returns once the receiver accepted it with a 2xx."""
        body = orjson.dumps(alert.payload).decode()
        sent_at = datetime.now(UTC)
        headers = {
            "webhook-id": alert.alert_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": self._signer.sign(alert.alert_id, sent_at, body),
        }
        await self._endpoint.post(body, headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

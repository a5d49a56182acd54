"""Grafana OnCall, or any service that accepts its formatted webhook: one alert group per dedup key."""

from __future__ import annotations

import orjson

from monitor.adapters.notifiers.endpoint import Endpoint, SecretUrlOptions
from monitor.adapters.notifiers.message import plain_text, render
from monitor.model.alerts import Alert


class GrafanaOnCallOptions(SecretUrlOptions):
    """The “Formatted Webhook” integration to post to."""


class GrafanaOnCallNotifier:
    """Posts alerts in the five fields that OnCall reads."""

    Options = GrafanaOnCallOptions

    def __init__(self, options: GrafanaOnCallOptions) -> None:
        self._endpoint = Endpoint(options.address(), options)

    async def notify(self, alert: Alert) -> None:
        """Post one alert; returns once OnCall accepted it."""
        message = render(alert)
        body = {
            "alert_uid": alert.dedup_key,
            "title": message.subject,
            "state": "ok" if message.is_closed else "alerting",
            "message": plain_text(message),
            "link_to_upstream_details": next((link.url for link in message.links), ""),
        }
        await self._endpoint.post(orjson.dumps(body))

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

"""Grafana OnCall, and what else takes its formatted webhook: one alert group for each dedup key."""

from __future__ import annotations

import orjson

from monitor.adapters.notifiers.endpoint import Endpoint, SecretUrlOptions
from monitor.adapters.notifiers.message import plain_text, render
from monitor.model.alerts import Alert


class GrafanaOnCallOptions(SecretUrlOptions):
    """Which integration of the kind “Formatted Webhook” is told."""


class GrafanaOnCallNotifier:
    """Posts an alert in the five fields that OnCall reads."""

    Options = GrafanaOnCallOptions

    def __init__(self, options: GrafanaOnCallOptions) -> None:
        self._endpoint = Endpoint(options.address(), options)

    async def notify(self, alert: Alert) -> None:
        """Post one alert; returning means OnCall took it."""
        message = render(alert)
        body = {
            "alert_uid": alert.dedup_key,
            "title": message.title,
            "state": "ok" if message.is_closed else "alerting",
            "message": plain_text(message),
            "link_to_upstream_details": next((link.url for link in message.links), ""),
        }
        await self._endpoint.post(orjson.dumps(body))

    async def close(self) -> None:
        """Give back the connections."""
        await self._endpoint.close()

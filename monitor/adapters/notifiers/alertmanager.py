"""Prometheus' Alertmanager, by its API v2: routing, grouping and silences are its business from there on.

Alertmanager knows an alert by its labels, so what changes is told in annotations. Only the severity, by which people
route, is a label that can change: an incident that got worse is another alert there, and the one before is ended.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, SecretStr, model_validator

from monitor.adapters.http import transport
from monitor.adapters.notifiers.endpoint import Endpoint, EndpointOptions, bearer
from monitor.adapters.notifiers.message import Message, plain_text, render
from monitor.config.config import Duration
from monitor.model.alerts import Alert

_SEVERITIES = ("warning", "critical")
"""From bad to worse; an incident never gets better than it was before it is over."""


class AlertmanagerOptions(EndpointOptions):
    """Which Alertmanager, and how long it believes what it is told once."""

    url: transport.Url = Field(repr=False)
    """Where Alertmanager is, such as ``http://alertmanager:9093``; ``/api/v2/alerts`` is added. User and password in
    it become basic authentication."""
    token: SecretStr | None = Field(default=None, repr=False)
    """Sent as a bearer token; by ``${ENV}``."""
    token_file: Path | None = None
    """A file with the token, instead of ``token``."""
    fires_for: Duration = 30 * 86_400.0
    """How long an alert fires there without being resolved; Alertmanager's own five minutes are for clients that
    repeat themselves, and every alert is sent once."""

    @model_validator(mode="after")
    def _has_a_token_that_can_be_sent(self) -> AlertmanagerOptions:
        bearer(self)
        return self


class AlertmanagerNotifier:
    """Posts an alert, and its end."""

    Options = AlertmanagerOptions

    def __init__(self, options: AlertmanagerOptions) -> None:
        self._fires_for = timedelta(seconds=options.fires_for)
        self._endpoint = Endpoint(f"{options.url.rstrip('/')}/api/v2/alerts", options, bearer(options))

    async def notify(self, alert: Alert) -> None:
        """Post one alert; returning means Alertmanager took it."""
        message = render(alert)
        posted = self._posted(alert, message)
        await self._endpoint.post(orjson.dumps([posted, *_outgrown(posted, alert, message)]))

    async def close(self) -> None:
        """Give back the connections."""
        await self._endpoint.close()

    def _posted(self, alert: Alert, message: Message) -> dict[str, Any]:
        ends_at = message.ended_at or alert.created_at + self._fires_for
        links = {link.label.lower(): link.url for link in message.links}
        origin = links.get("comparison") or links.get("run")
        return {
            "labels": _labels(alert, message),
            "annotations": _annotations(alert, message, links),
            "startsAt": message.opened_at.isoformat(),
            # Alertmanager refuses an end before the start, which a clock set back would make.
            "endsAt": max(ends_at, message.opened_at).isoformat(),
            **({"generatorURL": origin} if origin else {}),
        }


def _outgrown(posted: dict[str, Any], alert: Alert, message: Message) -> list[dict[str, Any]]:
    """The ends of what the incident may have been before; the first message of an incident has nothing to end."""
    is_first = not message.is_closed and alert.created_at <= message.opened_at
    if is_first or message.severity not in _SEVERITIES:
        return []
    ends_at = max(alert.created_at, message.opened_at).isoformat()
    return [
        {**posted, "labels": {**posted["labels"], "severity": lesser}, "endsAt": ends_at}
        for lesser in _SEVERITIES[: _SEVERITIES.index(message.severity)]
    ]


def _labels(alert: Alert, message: Message) -> dict[str, str]:
    labels = {
        "alertname": "RecallwatchIncident",
        "dedup_key": alert.dedup_key,
        "target": message.target,
        "severity": message.severity,
    }
    return {name: value for name, value in labels.items() if value}


def _annotations(alert: Alert, message: Message, links: dict[str, str]) -> dict[str, str]:
    annotations = {
        "summary": message.title,
        "description": plain_text(message),
        "state": message.state,
        "incident_id": alert.incident_id,
        "command": message.command,
        "runbook_url": links.get("runbook", ""),
        "dashboard_url": links.get("dashboard", ""),
    }
    return {name: value for name, value in annotations.items() if value}

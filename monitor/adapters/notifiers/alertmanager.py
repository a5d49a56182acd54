"""Prometheus Alertmanager, API v2; it then does its own routing, grouping and silencing.

Alertmanager identifies an alert by its labels, so changing values are annotations. The severity is the only label that
changes, because routes select by it: when an incident gets worse, a new alert is sent and the previous one is ended.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, SecretStr, model_validator

from monitor.adapters.http import transport
from monitor.adapters.notifiers.endpoint import Endpoint, EndpointOptions, bearer
from monitor.adapters.notifiers.message import LONGEST_FACT, Message, plain_text, render
from monitor.adapters.notifiers.texts import one_line
from monitor.config.config import Duration
from monitor.model.alerts import Alert

_TEST_FIRES_FOR = timedelta(minutes=5)
"""A test alert ends by itself."""
_ENDED = "RecallwatchIncidentEnded"
"""Fires for a short time after an incident, to inhibit and not to notify."""
_SEVERITIES = ("warning", "critical")
"""In rising order; the severity of an open incident never falls."""


class AlertmanagerOptions(EndpointOptions):
    """The Alertmanager, and how long it keeps an alert that is sent once."""

    url: transport.Url = Field(repr=False)
    """Address of Alertmanager, such as ``http://alertmanager:9093``; ``/api/v2/alerts`` is appended. A user and
    password in the URL are sent as basic authentication."""
    token: SecretStr | None = Field(default=None, repr=False)
    """Sent as a bearer token; use ``${ENV}``."""
    token_file: Path | None = None
    """A file with the token, instead of ``token``."""
    fires_for: Duration = 30 * 86_400.0
    """How long an unresolved alert fires in Alertmanager. Its default of five minutes is for clients that resend;
    recallwatch sends each alert once."""
    ended_for: Duration = 120.0
    """How long ``RecallwatchIncidentEnded`` fires after an incident. It inhibits the Prometheus alert about the same
    incident until Prometheus has ended that one: give it longer than a scrape and an evaluation."""

    @model_validator(mode="after")
    def _has_a_token_that_can_be_sent(self) -> AlertmanagerOptions:
        bearer(self)
        return self


class AlertmanagerNotifier:
    """Posts alerts and their resolution."""

    Options = AlertmanagerOptions

    def __init__(self, options: AlertmanagerOptions) -> None:
        self._fires_for = timedelta(seconds=options.fires_for)
        self._ended_for = timedelta(seconds=options.ended_for)
        self._endpoint = Endpoint(f"{options.url.rstrip('/')}/api/v2/alerts", options, bearer(options))

    async def notify(self, alert: Alert) -> None:
        """Post one alert; returns once Alertmanager accepted it."""
        message = render(alert)
        body = self._body(alert, message)
        ended = [self._after_the_end(alert, message)] if message.is_closed else []
        await self._endpoint.post(orjson.dumps([body, *_ended_at_lower_severity(body, alert, message), *ended]))

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    def _body(self, alert: Alert, message: Message) -> dict[str, Any]:
        links = {link.label.lower(): link.url for link in message.links}
        origin = links.get("comparison") or links.get("run")
        return {
            "labels": _labels(alert, message),
            "annotations": _annotations(alert, message, links),
            "startsAt": message.opened_at.isoformat(),
            # Alertmanager rejects an end before the start, which a clock set back would produce.
            "endsAt": max(self._ends_at(alert, message), message.opened_at).isoformat(),
            **({"generatorURL": origin} if origin else {}),
        }

    def _after_the_end(self, alert: Alert, message: Message) -> dict[str, Any]:
        """The alert that continues to inhibit. The incident's own cannot: Alertmanager ends an alert now or never."""
        labels = _labels(alert, message)
        started_at = max(message.ended_at or alert.created_at, message.opened_at)
        return {
            "labels": {"alertname": _ENDED, "severity": "none"}
            | {name: labels[name] for name in ("target", "kind", "dedup_key") if name in labels},
            "annotations": {"summary": message.subject},
            "startsAt": started_at.isoformat(),
            "endsAt": (started_at + self._ended_for).isoformat(),
        }

    def _ends_at(self, alert: Alert, message: Message) -> datetime:
        if message.ended_at is not None:
            return message.ended_at
        is_test = bool((alert.payload.get("data") or {}).get("test"))
        return alert.created_at + (_TEST_FIRES_FOR if is_test else self._fires_for)


def _ended_at_lower_severity(body: dict[str, Any], alert: Alert, message: Message) -> list[dict[str, Any]]:
    """The ends of the incident's alerts at lower severities; none for the first message of an incident."""
    is_first = not message.is_closed and alert.created_at <= message.opened_at
    if is_first or message.severity not in _SEVERITIES:
        return []
    ends_at = max(alert.created_at, message.opened_at).isoformat()
    return [
        {**body, "labels": {**body["labels"], "severity": lower}, "endsAt": ends_at}
        for lower in _SEVERITIES[: _SEVERITIES.index(message.severity)]
    ]


def _labels(alert: Alert, message: Message) -> dict[str, str]:
    labels = {
        "alertname": "RecallwatchIncident",
        "dedup_key": alert.dedup_key,
        "target": message.target,
        "severity": message.severity,
    }
    data = alert.payload.get("data") or {}
    labels["kind"] = one_line(data.get("kind"), LONGEST_FACT)  # inhibition rules select by it
    # Axis, suite and stratum of the first drop stay the same until the incident ends, as labels must.
    labels |= {name: one_line(value, LONGEST_FACT) for name, value in (data.get("first_drop") or {}).items()}
    labels["owner"] = one_line(data.get("owner"), LONGEST_FACT)
    return {name: value for name, value in labels.items() if value}


def _annotations(alert: Alert, message: Message, links: dict[str, str]) -> dict[str, str]:
    annotations = {
        "summary": message.subject,
        "description": plain_text(message),
        "state": message.state,
        "incident_id": alert.incident_id,
        "command": message.command,
        "runbook_url": links.get("runbook", ""),
        "dashboard_url": links.get("dashboard", ""),
    }
    return {name: value for name, value in annotations.items() if value}

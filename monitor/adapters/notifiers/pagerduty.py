"""PagerDuty, Events API v2: one PagerDuty alert per dedup key, triggered, acknowledged and resolved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, SecretStr, model_validator

from monitor.adapters.http import transport
from monitor.adapters.notifiers.endpoint import Endpoint, EndpointOptions
from monitor.adapters.notifiers.message import Message, acknowledge_command, fit, render
from monitor.adapters.notifiers.signature import check_signature
from monitor.adapters.notifiers.texts import clip
from monitor.adapters.secret import read_one, read_optional
from monitor.errors import NotifierError, Reason
from monitor.model.alerts import Acknowledgement, Alert
from monitor.model.deployments import Swap

_LONGEST_KEY, _LONGEST_SUMMARY, _LARGEST_EVENT = 255, 1_024, 512 * 1_024
_SEVERITIES = {"critical": "critical", "warning": "warning", "info": "info"}


class PagerDutyOptions(EndpointOptions):
    """The PagerDuty service to page."""

    routing_key: SecretStr | None = Field(default=None, repr=False)
    """Integration key of an Events API v2 integration, 32 characters; by ``${ENV}``."""
    routing_key_file: Path | None = None
    """A file with the key, instead of ``routing_key``."""
    url: transport.Url = "https://events.pagerduty.com/v2/enqueue"
    """Where events are posted; accounts in Europe use ``https://events.eu.pagerduty.com/v2/enqueue``."""
    change_url: transport.Url = "https://events.pagerduty.com/v2/change/enqueue"
    """Where model swaps are posted as change events, which do not page; in Europe on ``events.eu.pagerduty.com``."""

    webhook_secret: SecretStr | None = Field(default=None, repr=False)
    """The secret of a webhook subscription (V3) for ``incident.acknowledged``, by ``${ENV}``. Its URL is
    ``/notifiers/NAME/events`` of this server; an acknowledgement in PagerDuty then counts here too."""
    webhook_secret_file: Path | None = None
    """A file with the secret, instead of ``webhook_secret``."""

    @model_validator(mode="after")
    def _has_a_key(self) -> PagerDutyOptions:
        if len(read_one(self, "routing_key")) != 32:
            raise ValueError("routing_key must be 32 characters")
        return self

    def acknowledgement(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Acknowledgement | None:  # noqa: ARG002 - PagerDuty signs no time
        """The acknowledgement in a request of PagerDuty; None for any other. Raises NotifierError if not signed."""
        secret = read_optional(self, "webhook_secret")
        if secret is None:
            raise NotifierError(Reason.UNAUTHORISED, "webhook_secret is not configured")
        signatures = headers.get("x-pagerduty-signature", "").split(",")
        check_signature(secret, body, [each.strip().removeprefix("v1=") for each in signatures])
        try:
            event = orjson.loads(body)["event"]
            if event["event_type"] != "incident.acknowledged":
                return None
            agent = event.get("agent") or {}
            return Acknowledgement(str(event["data"]["incident_key"]), str(agent.get("summary") or "PagerDuty"))
        except (KeyError, ValueError, TypeError, AttributeError):
            return None


class PagerDutyNotifier:
    """Sends alerts as events."""

    Options = PagerDutyOptions

    def __init__(self, options: PagerDutyOptions) -> None:
        self._routing_key = read_one(options, "routing_key")
        self._endpoint = Endpoint(options.url, options)
        self._changes = Endpoint(options.change_url, options)

    async def notify(self, alert: Alert) -> None:
        """Send one event; returns once PagerDuty queued it."""

        def write(message: Message) -> bytes:
            return orjson.dumps({"routing_key": self._routing_key, **event(alert, message)})

        await self._endpoint.post(fit(render(alert), write, _LARGEST_EVENT))

    async def announce(self, swap: Swap) -> None:
        """Add a model swap to the service's timeline; returns once PagerDuty queued it."""
        await self._changes.post(orjson.dumps({"routing_key": self._routing_key, **change_event(swap)}))

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()
        await self._changes.close()


def event(alert: Alert, message: Message) -> dict[str, Any]:
    """The event without its routing key. Only a trigger has content; PagerDuty ignores it in the others."""
    action = "resolve" if message.is_closed else "acknowledge" if message.state == "acknowledged" else "trigger"
    key = {"event_action": action, "dedup_key": _key(alert.dedup_key)}
    if action != "trigger":
        return key
    return {
        **key,
        "payload": {
            "summary": clip(f"{message.subject}. {message.text}", _LONGEST_SUMMARY),
            "source": message.target or "recallwatch",
            "severity": _SEVERITIES.get(message.severity, "error"),
            "timestamp": alert.created_at.isoformat(),
            "component": "retriever",
            "class": str(alert.payload.get("type", "incident")),
            "custom_details": _details(message),
        },
        "links": [{"href": link.url, "text": link.label} for link in message.links],
        "client": "recallwatch",
    }


def change_event(swap: Swap) -> dict[str, Any]:
    """The change event without its routing key."""
    kind = "declared" if swap.declared else "silent"
    summary = f"{swap.target}: {kind} swap, {swap.share_changed:.0%} of the rankings of {swap.suite_name} changed"
    return {
        "payload": {
            "summary": clip(summary, _LONGEST_SUMMARY),
            "source": swap.target,
            "timestamp": swap.detected_at.isoformat(),
            "custom_details": {
                "Suite": swap.suite_name,
                "Declared": swap.declared,
                "Share of rankings changed": swap.share_changed,
                "Run": swap.run_id,
                "Previous run": swap.previous_run_id,
            },
        }
    }


def _details(message: Message) -> dict[str, Any]:
    details: dict[str, Any] = {"What": message.text}
    details |= {part.title: part.lines[0] if len(part.lines) == 1 else list(part.lines) for part in message.parts}
    commands = {"Look closer with": message.command, "Acknowledge with": acknowledge_command(message)}
    return details | {name: command for name, command in commands.items() if command} | dict(message.facts)


def _key(dedup_key: str) -> str:
    """The key; one that is too long for PagerDuty is cut and ends with its digest."""
    if len(dedup_key) <= _LONGEST_KEY:
        return dedup_key
    digest = hashlib.sha256(dedup_key.encode()).hexdigest()
    return f"{dedup_key[: _LONGEST_KEY - len(digest) - 1]}/{digest}"

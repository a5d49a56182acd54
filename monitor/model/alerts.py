"""Alerts and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class AlertState(StrEnum):
    """The messages an incident can send."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    REMINDER = "reminder"
    """The incident is still open, and no person has acknowledged it."""
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message about an incident. ``alert_id`` is the same for every delivery attempt."""

    alert_id: str
    incident_id: str
    dedup_key: str
    state: AlertState
    payload: Mapping[str, Any]
    created_at: datetime
    notifiers: tuple[str, ...] = ()
    """Notifiers of the firing alert. Later alerts go to the notifiers that received that one."""
    silenced_until: datetime | None = None
    """The alert is held back until then, and sent only if the incident is still active."""
    silence: str = ""
    """The reason of the silence that holds it back."""
    receipt: str = ""
    """The answer of the notifier to the first message of the incident, such as the id of that message."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert for one notifier, leased to the process that sends it."""

    delivery_id: int
    notifier: str
    alert: Alert
    attempts: int


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An acknowledgement that a person gave in an on-call service."""

    incident: str
    """The id or the dedup key of the incident."""
    by: str

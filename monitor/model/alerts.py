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
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message about an incident. ``alert_id`` stays the same however often it is sent."""

    alert_id: str
    incident_id: str
    dedup_key: str
    state: AlertState
    payload: Mapping[str, Any]
    created_at: datetime
    notifiers: tuple[str, ...] = ()
    """Who is told that it fires; what follows goes to whoever was told."""
    silenced_until: datetime | None = None
    """Held back until then, and sent only if the incident still lasts."""
    silence: str = ""
    """Why it is held back."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert on its way to one notifier, leased to whoever sends it."""

    delivery_id: int
    notifier: str
    alert: Alert
    attempts: int

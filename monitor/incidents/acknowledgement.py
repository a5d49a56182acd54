"""Signed links that acknowledge one incident, once: from e-mail, Teams and every service without buttons of its own."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from monitor.incidents.routing import Links
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Incident

_CAN_ACKNOWLEDGE = (AlertState.FIRING, AlertState.REMINDER)


def token_of(incident_id: str, opening: str, key: str) -> str:
    """The token for one opening of an incident: a new one after each reopening, so that an old link does nothing."""
    return hmac.new(key.encode(), f"acknowledge/{incident_id}/{opening}".encode(), hashlib.sha256).hexdigest()[:40]


def opening_of(incident: Incident) -> str:
    """The identity of this opening of the incident: it differs after each reopening."""
    return _opening(incident.reopened, incident.opened_at)


def is_valid(token: str, incident: Incident, key: str) -> bool:
    """Whether the token belongs to this opening of the incident."""
    return bool(key) and hmac.compare_digest(token_of(incident.incident_id, opening_of(incident), key), token)


def with_acknowledge_link(alert: Alert, links: Links) -> Alert:
    """The alert with its signed link, if the server has an address and a signing key. The link is never stored."""
    data = alert.payload.get("data") or {}
    if not (links.public_url and links.signing_key and alert.state in _CAN_ACKNOWLEDGE and "opened_at" in data):
        return alert
    opening = _opening(data.get("reopened") or 0, datetime.fromisoformat(data["opened_at"]))
    token = token_of(alert.incident_id, opening, links.signing_key)
    url = f"{links.public_url.rstrip('/')}/incidents/{quote(alert.incident_id)}/acknowledge?token={token}"
    data = {**data, "links": {**(data.get("links") or {}), "acknowledge": url}}
    return replace(alert, payload={**alert.payload, "data": data})


def _opening(reopened: int, opened_at: datetime) -> str:
    return f"{reopened}/{opened_at.timestamp():.6f}"

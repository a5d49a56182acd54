"""A drill: one clearly marked test alert through one notifier, so that the way is known before it is needed."""

from __future__ import annotations

import asyncio
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from monitor.cli.result import NOT_MEASURED, Result
from monitor.errors import ConfigError, NotifierError, Reason
from monitor.model.alerts import Alert, AlertState
from monitor.ports.targets import Notifier
from monitor.service import wiring

LONGEST_S = 30.0


async def hold(path: Path, name: str, state: str) -> Result:
    """Send a test alert through a notifier of the configuration."""
    parts = wiring.load(path)
    if name not in parts.notifiers:
        listed = ", ".join(parts.notifiers) or "none"
        raise ConfigError("notifiers", f"no notifier is called {name}; there are: {listed}")
    alert = drill_alert(name, AlertState(state), wiring.utc_now())
    refused = await _deliver(parts.notifiers[name].build(), alert)
    data = {"notifier": name, "state": state, "dedup_key": alert.dedup_key, "delivered": refused is None}
    if refused is None:
        return Result([f"[green]✓[/] {name}: the test alert ({state}) was delivered"], data)
    told = f"[red]✗[/] {name}: the test alert ({state}) was not delivered: {refused}"
    return Result([told], {**data, "reason": str(refused.reason), "detail": refused.detail}, NOT_MEASURED)


def drill_alert(name: str, state: AlertState, at: datetime) -> Alert:
    """An alert that says it is a test. Firing and resolved share a dedup key, so that one ends the other."""
    incident_id, dedup_key = f"test_{name}", f"recallwatch/test/{name}"
    data: dict[str, Any] = {
        "test": True,
        "incident_id": incident_id,
        "dedup_key": dedup_key,
        "state": str(state),
        "severity": "info",
        "target": "test",
        "verdict": "test",
        "summary": f"This is a test of the notifier {name}; nothing has happened.",
        "advice": "do nothing",
        "opened_at": at.isoformat(),
        "resolved_at": at.isoformat() if state is AlertState.RESOLVED else None,
        "next_command": f"recallwatch notify test {shlex.quote(name)} --state resolved"
        if state is AlertState.FIRING
        else None,
    }
    payload = {"type": f"incident.{state}", "timestamp": at.isoformat(), "data": data}
    return Alert(f"test_{uuid4().hex}", incident_id, dedup_key, state, payload, at)


async def _deliver(notifier: Notifier, alert: Alert) -> NotifierError | None:
    try:
        await asyncio.wait_for(notifier.notify(alert), LONGEST_S)
    except NotifierError as error:
        return error
    except TimeoutError:
        return NotifierError(Reason.TIMEOUT, f"no answer within {LONGEST_S:g} s")
    finally:
        await notifier.close()
    return None

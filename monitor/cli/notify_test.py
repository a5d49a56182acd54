"""`recallwatch notify test`: one clearly marked test alert through one notifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from monitor.cli.result import NOT_MEASURED, Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform
from monitor.errors import ConfigError, NotifierError, Reason

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from monitor.model.alerts import Alert, AlertState
    from monitor.ports.targets import Notifier

TIMEOUT_S = 30.0
"""The longest time that a notifier may take."""


def notify_test(
    name: Annotated[str, typer.Argument(help="A notifier of the configuration.")],
    state: Annotated[
        Literal["firing", "resolved"], typer.Option(help="The state of the alert; resolved closes a firing one.")
    ] = "firing",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Send one alert, marked as a test, through a notifier now."""
    finish(perform(send_test(config, name, state)), as_json)


async def send_test(path: Path, name: str, state: str) -> Result:
    """Send a test alert through a notifier of the configuration."""
    from monitor.model.alerts import AlertState
    from monitor.service import wiring

    checked = wiring.load(path)
    if name not in checked.notifiers:
        names = ", ".join(checked.notifiers) or "none"
        raise ConfigError("notifiers", f'unknown notifier "{name}"; known notifiers: {names}')
    alert = build_test_alert(name, AlertState(state), wiring.utc_now())
    error = await _deliver(checked.notifiers[name].build(), alert)
    data = {"notifier": name, "state": state, "dedup_key": alert.dedup_key, "delivered": error is None}
    if error is None:
        return Result([f"[green]✓[/] {name}: the test alert ({state}) was delivered"], data)
    sentence = f"[red]✗[/] {name}: the test alert ({state}) was not delivered: {error}"
    return Result([sentence], {**data, "reason": str(error.reason), "detail": error.detail}, NOT_MEASURED)


def build_test_alert(name: str, state: AlertState, at: datetime) -> Alert:
    """An alert that is marked as a test. Firing and resolved share a dedup key, so that one closes the other."""
    import shlex
    from uuid import uuid4

    from monitor.model.alerts import Alert

    incident_id, dedup_key, is_firing = f"test_{name}", f"recallwatch/test/{name}", state == "firing"
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
        "resolved_at": None if is_firing else at.isoformat(),
        "next_command": f"recallwatch notify test {shlex.quote(name)} --state resolved" if is_firing else None,
    }
    payload = {"type": f"incident.{state}", "timestamp": at.isoformat(), "data": data}
    return Alert(
        alert_id=f"test_{uuid4().hex}",
        incident_id=incident_id,
        dedup_key=dedup_key,
        state=state,
        payload=payload,
        created_at=at,
    )


async def _deliver(notifier: Notifier, alert: Alert) -> NotifierError | None:
    import asyncio

    try:
        async with asyncio.timeout(TIMEOUT_S):
            await notifier.notify(alert)
    except NotifierError as error:
        return error
    except TimeoutError:
        return NotifierError(Reason.TIMEOUT, f"no answer within {TIMEOUT_S:g} s")
    finally:
        await notifier.close()
    return None

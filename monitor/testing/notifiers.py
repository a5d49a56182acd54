"""Contract of a notifier. The service under test must accept every alert."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from monitor.errors import NotifierError
from monitor.model.alerts import AlertState
from monitor.ports.targets import Notifier
from monitor.testing.alerts import a_large_alert, an_alert

Check = Callable[[Callable[[], Notifier]], Coroutine[Any, Any, None]]
CHARACTERS = ("x", "&", "<", '"', "\\", "\x00", "\n", "語", "😀", "`")


async def accepts_every_state(build: Callable[[], Notifier]) -> None:
    """Alerts that fire, are acknowledged and are resolved are all delivered."""
    notifier = build()
    try:
        for state in AlertState:
            await notifier.notify(an_alert(state))
    finally:
        await notifier.close()


async def accepts_repeats(build: Callable[[], Notifier]) -> None:
    """The same alert may be sent again, because delivery is at least once."""
    notifier = build()
    try:
        for _ in range(2):
            await notifier.notify(an_alert())
    finally:
        await notifier.close()


async def accepts_a_payload_without_details(build: Callable[[], Notifier]) -> None:
    """An alert with no more than its key and state is delivered."""
    alert = an_alert()
    data = {"dedup_key": alert.dedup_key, "state": str(alert.state)}
    notifier = build()
    try:
        await notifier.notify(replace(alert, payload={"type": "incident.firing", "data": data}))
    finally:
        await notifier.close()


async def accepts_texts_of_any_length(build: Callable[[], Notifier]) -> None:
    """Long texts in any characters are delivered; the notifier shortens them where it must."""
    notifier = build()
    try:
        for character in CHARACTERS:
            await notifier.notify(a_large_alert(character, length=1_500, n_items=2))
    finally:
        await notifier.close()


async def delivers_concurrently(build: Callable[[], Notifier]) -> None:
    """Alerts about different incidents may be sent at once."""
    alerts = [replace(an_alert(), alert_id=f"alert-{n}", incident_id=f"incident-{n}") for n in range(8)]
    notifier = build()
    try:
        await asyncio.gather(*(notifier.notify(alert) for alert in alerts))
    finally:
        await notifier.close()


async def can_be_closed_twice(build: Callable[[], Notifier]) -> None:
    """Closing twice is harmless, before and after the first alert."""
    for alerts in ((), (an_alert(),)):
        notifier = build()
        for alert in alerts:
            await notifier.notify(alert)
        await notifier.close()
        await notifier.close()


CHECKS: tuple[Check, ...] = (
    accepts_every_state,
    accepts_repeats,
    accepts_a_payload_without_details,
    accepts_texts_of_any_length,
    delivers_concurrently,
    can_be_closed_twice,
)


async def raises_notifier_errors_only(build: Callable[[], Notifier]) -> None:
    """An unreachable service raises NotifierError with a reason."""
    notifier = build()
    try:
        await notifier.notify(an_alert())
    except NotifierError as error:
        assert error.detail, "the error has no detail"
    else:
        raise AssertionError("an alert for an unreachable service was accepted")
    finally:
        await notifier.close()


UNREACHABLE_CHECKS: tuple[Check, ...] = (raises_notifier_errors_only,)
"""For a notifier whose service is down."""

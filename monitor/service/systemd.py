"""Messages to systemd (``Type=notify``): ready, reloading, stopping, and the watchdog's sign of life."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress


def notify(state: str) -> None:
    """Send a state such as ``READY=1``. Does nothing where systemd did not start the process."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        channel.sendall(state.encode())


def notify_reloading() -> None:
    """Send that a reload began; `notify` with ``READY=1`` ends it."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}")


async def keep_watchdog_forever() -> None:
    """Send signs of life from the event loop, twice in each interval that systemd allows, if it has a watchdog."""
    interval_us = os.environ.get("WATCHDOG_USEC", "")
    while interval_us.isdigit():
        notify("WATCHDOG=1")
        await asyncio.sleep(int(interval_us) / 2_000_000)

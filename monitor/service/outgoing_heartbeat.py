"""Requests to an outside service after each cycle, which notices when they stop coming: the daemon's own death."""

from __future__ import annotations

import httpx
import structlog

_LOG = structlog.get_logger(__name__)

TIMEOUT_S = 5.0


async def send(url: str, *, has_data: bool) -> None:
    """Request the URL; with ``/fail`` at its end after a cycle without data. An error is one line of the log."""
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            (await client.get(url if has_data else f"{url.rstrip('/')}/fail")).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _LOG.warning("heartbeat_not_sent", problem=type(error).__name__)  # the URL is a secret, and is in the text

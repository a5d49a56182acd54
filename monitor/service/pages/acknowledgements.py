"""Acknowledgements that on-call services report: the button in Slack, the acknowledged incident in PagerDuty."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.alerting import attention
from monitor.errors import NotifierError, StoreError
from monitor.model.alerts import Acknowledgement
from monitor.ports.store import Store
from monitor.ports.targets import AcknowledgementSource
from monitor.service.pages.backend import PagesBackend

_LOG = structlog.get_logger(__name__)
_LARGEST_EVENT = 1_000_000
_MOST_ACTIVE = 1_000


async def receive(request: Request, backend: PagesBackend) -> Response:
    """Acknowledge the incident that a signed request names.

    Answers 200 to every signed request, so that the service does not repeat it; 401 to any other, 404 for a notifier
    that reports nothing, 503 while the database is away.
    """
    options = backend.notifiers().get(request.path_params["name"])
    if not isinstance(options, AcknowledgementSource):
        return JSONResponse({"problem": "no such notifier, or its service reports nothing"}, status_code=404)
    body = await read_body(request, _LARGEST_EVENT)
    if body is None:
        return JSONResponse({"problem": f"the body is larger than {_LARGEST_EVENT} bytes"}, status_code=413)
    try:
        acknowledgement = options.acknowledgement(request.headers, body, backend.now())
        if acknowledgement is not None:
            await _acknowledge(acknowledgement, backend)
    except NotifierError as error:
        _LOG.warning("event_refused", notifier=request.path_params["name"], problem=error.detail)
        return JSONResponse({"problem": error.detail}, status_code=401)
    except StoreError as error:
        return JSONResponse({"problem": str(error)}, status_code=503)
    return JSONResponse({})


async def read_body(request: Request, limit: int) -> bytes | None:
    """The body; None if it is longer than the limit."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > limit:
            return None
    return content


async def _acknowledge(acknowledgement: Acknowledgement, backend: PagesBackend) -> None:
    store, on_call = backend.store(), backend.config().on_call
    incident_id = await _find(acknowledgement.incident, store)
    if incident_id is None:  # closed meanwhile, or another installation's
        return
    if await attention.acknowledge(incident_id, store, on_call, by=acknowledgement.by[:80], at=backend.now()):
        _LOG.info("acknowledged", incident=incident_id, by=acknowledgement.by[:80])
        backend.wake()


async def _find(name: str, store: Store) -> str | None:
    """The id of the active incident with this id or dedup key."""
    active = [each for each in await store.list_incidents(_MOST_ACTIVE) if each.is_active]
    return next((each.incident_id for each in active if name in (each.incident_id, each.dedup_key)), None)

"""The daemon's HTTP server: metrics for Prometheus, health for orchestrators, a status page."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Iterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from monitor.adapters.exporters.prometheus import CONTENT_TYPE, CycleResult, Metrics
from monitor.service.api.backend import Backend
from monitor.service.api.middleware import BodyLimit, SecurityHeaders
from monitor.service.api.problems import problem_response
from monitor.service.pages import routes as pages
from monitor.service.pages.backend import pages_of
from monitor.service.readiness import Readiness

_PAGE = """<!doctype html><meta charset="utf-8"><title>recallwatch</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:60rem;padding:0 1rem;color:#1c2430}}
article{{border:1px solid #d7dce3;border-left:6px solid var(--c);border-radius:6px;padding:.6rem 1rem;margin:1rem 0}}
h2{{margin:.2rem 0;font-size:1.1rem}} small{{color:#667}} .passed{{--c:#2e9e5b}} .regressed,.trade_off{{--c:#d43c3c}}
.inconclusive{{--c:#d9a514}} .invalid{{--c:#8a4fbf}}</style><h1>recallwatch</h1>{cards}
<p><small><a href="/metrics">metrics</a> · <a href="/healthz">health</a></small></p>"""

_CARD = """<article class="{verdict}"><h2>{target}: {verdict}</h2><p>{summary}<br><b>Advice: {advice}.</b></p>
<small>{when}{incident}</small></article>"""


def create_app(metrics: Metrics, readiness: Readiness, backend: Backend | None = None) -> Starlette:
    """The application. Metrics and the status page come from the snapshot, never from the database."""

    async def expose(_: Request) -> Response:
        # One family at a time, so that the metrics of a whole fleet are not held in memory twice.
        return StreamingResponse(_one_by_one(metrics.chunks()), media_type=CONTENT_TYPE)

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        status = readiness.status
        return JSONResponse({"status": status}, status_code=200 if status == "ready" else 503)

    async def overview(_: Request) -> Response:
        cards = "".join(map(_card, metrics.results.values())) or "<p>No cycle has finished yet.</p>"
        return HTMLResponse(_PAGE.format(cards=cards))

    return Starlette(
        routes=[
            Route("/", overview),
            Route("/metrics", expose),
            Route("/healthz", live),
            Route("/readyz", ready),
            *(pages.routes(pages_of(backend)) if backend else ()),
            *((Mount("/api/v1", _api(backend)),) if backend else ()),
        ],
        middleware=[Middleware(SecurityHeaders), Middleware(BodyLimit)],
        exception_handlers={404: _not_found},
    )


async def _not_found(request: Request, _: Exception) -> Response:
    """A problem below ``/api``, also for a path that no mount matches, such as one with a line break."""
    if request.url.path.startswith("/api/"):
        return problem_response(404, "Not Found")
    return PlainTextResponse("Not Found", status_code=404)


def _api(backend: Backend) -> Starlette:
    from monitor.service.api.v1 import create_api  # FastAPI takes a third of a second to import

    return create_api(backend)


async def _one_by_one(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks on the event loop; the framework would use a thread for each."""
    for chunk in chunks:
        yield chunk


def _card(result: CycleResult) -> str:
    verdict = result.verdict
    return _CARD.format(
        target=html.escape(verdict.target),
        verdict=verdict.name,
        summary=html.escape(verdict.summary),
        advice=html.escape(verdict.advice),
        when=f"{verdict.decided_at:%Y-%m-%d %H:%M:%S} UTC",
        incident=" · incident open" if result.incident_open else "",
    )

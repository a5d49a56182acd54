"""The daemon's HTTP server: metrics for Prometheus, health for the orchestrator, a page for people."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Callable, Iterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from monitor.adapters.exporters.prometheus import CONTENT_TYPE, CycleResult, Metrics
from monitor.service.api import deployments
from monitor.service.api.deployments import Declared

_PAGE = """<!doctype html><meta charset="utf-8"><title>recallwatch</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:60rem;padding:0 1rem;color:#1c2430}}
article{{border:1px solid #d7dce3;border-left:6px solid var(--c);border-radius:6px;padding:.6rem 1rem;margin:1rem 0}}
h2{{margin:.2rem 0;font-size:1.1rem}} small{{color:#667}} .passed{{--c:#2e9e5b}} .regressed,.trade_off{{--c:#d43c3c}}
.inconclusive{{--c:#d9a514}} .invalid{{--c:#8a4fbf}}</style><h1>recallwatch</h1>{cards}
<p><small><a href="/metrics">metrics</a> · <a href="/healthz">health</a></small></p>"""

_CARD = """<article class="{verdict}"><h2>{target}: {verdict}</h2><p>{summary}<br><b>Advice: {advice}.</b></p>
<small>{when}{incident}</small></article>"""


def create_app(metrics: Metrics, is_ready: Callable[[], bool], declared: Declared | None = None) -> Starlette:
    """The application. What is scraped or looked at comes from the snapshot and never from the database."""

    async def expose(_: Request) -> Response:
        # A family at a time: what a whole fleet shows never stands in memory twice.
        return StreamingResponse(_one_by_one(metrics.chunks()), media_type=CONTENT_TYPE)

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        state = is_ready()
        return JSONResponse({"status": "ready" if state else "starting"}, status_code=200 if state else 503)

    async def overview(_: Request) -> Response:
        cards = "".join(map(_card, metrics.seen.values())) or "<p>No cycle has finished yet.</p>"
        return HTMLResponse(_PAGE.format(cards=cards))

    return Starlette(
        routes=[
            Route("/", overview),
            Route("/metrics", expose),
            Route("/healthz", live),
            Route("/readyz", ready),
            *(deployments.routes(declared) if declared else ()),
        ]
    )


async def _one_by_one(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same on the event loop; the framework would take a thread for each."""
    for chunk in chunks:
        yield chunk


def _card(seen: CycleResult) -> str:
    verdict = seen.verdict
    return _CARD.format(
        target=html.escape(verdict.target),
        verdict=verdict.name,
        summary=html.escape(verdict.summary),
        advice=html.escape(verdict.advice),
        when=f"{verdict.decided_at:%Y-%m-%d %H:%M:%S} UTC",
        incident=" · incident open" if seen.incident_open else "",
    )

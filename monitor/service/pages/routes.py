"""The pages that alerts link to: `/incidents/ID`, `/comparisons/ID`, `/runs/ID` and `/docs/runbooks`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from monitor.adapters.notifiers.html import message_values
from monitor.adapters.notifiers.message import render
from monitor.adapters.notifiers.texts import MISSING
from monitor.alerting import attention
from monitor.config.config import Config
from monitor.errors import StoreError
from monitor.evaluation.scoring import measure
from monitor.incidents.acknowledgement import is_valid
from monitor.incidents.payload import missing_for_recovery, redact
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Incident, IncidentStatus
from monitor.model.verdicts import Evidence, Verdict
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.reports.terminal import by_stratum
from monitor.service.pages import acknowledgements
from monitor.service.pages.backend import PagesBackend
from monitor.service.pages.rendering import markdown_page, page, problem

_LONGEST_NAME, _LONGEST_FORM = 80, 4_096
Handler = Callable[[Request], Awaitable[Response]]


def routes(backend: PagesBackend) -> list[Route]:
    """The pages. An unknown id is a page with status 404, a database that is away one with 503."""

    async def incident(request: Request) -> Response:
        return await _incident_page(backend, await _incident(backend, request))

    async def acknowledge(request: Request) -> Response:
        return await _acknowledge(backend, request)

    async def comparison(request: Request) -> Response:
        verdict = await backend.store().load_verdict(request.path_params["id"])
        return page("comparison.html", f"Comparison of {verdict.target}", **_comparison_values(verdict))

    async def run(request: Request) -> Response:
        return await _run_page(backend.store(), request.path_params["id"])

    async def runbooks(_: Request) -> Response:
        return await asyncio.to_thread(markdown_page, documents() / "runbooks.md")

    async def event(request: Request) -> Response:
        return await acknowledgements.receive(request, backend)

    return [
        Route("/incidents/{id}", _safely(incident)),
        Route("/incidents/{id}/acknowledge", _safely(acknowledge), methods=["GET", "POST"]),
        Route("/comparisons/{id}", _safely(comparison)),
        Route("/runs/{id}", _safely(run)),
        Route("/docs/runbooks", _safely(runbooks)),
        Route("/notifiers/{name}/events", event, methods=["POST"]),
    ]


def documents() -> Path:
    """The folder of the documents that are served: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    installed = package / "docs"
    return installed if installed.is_dir() else package.parent / "docs"


def _safely(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except StoreError as error:
            return problem(404 if str(error).startswith("no ") else 503, str(error))

    return answer


async def _incident(backend: PagesBackend, request: Request) -> Incident:
    return await backend.store().load_incident(request.path_params["id"])


async def _incident_page(
    backend: PagesBackend, incident: Incident, *, token: str = "", notice: str = "", status: int = 200
) -> HTMLResponse:
    """The page that was sent, the state of the incident, and every message about it."""
    store = backend.store()
    alerts = await store.alerts_of(incident.incident_id)
    first = next((each for each in reversed(alerts) if each.state is AlertState.FIRING), None)
    values = message_values(render(first)) if first else {"message": None}
    return page(
        "incident.html",
        f"Incident of {incident.target}",
        status=status,
        incident=incident,
        can_acknowledge=bool(token),
        token=token,
        notice=notice,
        missing=missing_for_recovery(incident, await store.latest_verdict(incident.target)),
        messages=[_sent(alert) for alert in alerts],
        **values,
    )


def _sent(alert: Alert) -> dict[str, str]:
    message = render(alert)
    at = f"{alert.created_at:%Y-%m-%d %H:%M} UTC"
    return {"at": at, "state": message.state, "title": message.title, "silence": alert.silence}


async def _acknowledge(backend: PagesBackend, request: Request) -> Response:
    """Show the button for a valid link, and acknowledge when it is pressed.

    Reading the page changes nothing: mail scanners and link previews read every link.
    """
    incident = await _incident(backend, request)
    form = await _form(request) if request.method == "POST" else dict(request.query_params)
    token, key = form.get("token", ""), backend.config().on_call.links.signing_key
    if not is_valid(token, incident, key):
        notice = "This link is not valid: the incident was reopened since, or the link was changed."
        return await _incident_page(backend, incident, notice=notice, status=403)
    if incident.status is not IncidentStatus.OPEN:
        return await _incident_page(backend, incident, notice=f"The incident is {incident.status} already.")
    if request.method == "GET":
        return await _incident_page(backend, incident, token=token)
    by = " ".join(form.get("by", "").split())[:_LONGEST_NAME] or "a signed link"
    on_call = backend.config().on_call
    await attention.acknowledge(incident.incident_id, backend.store(), on_call, by=by, at=backend.now())
    backend.wake()
    return await _incident_page(backend, await _incident(backend, request), notice="Acknowledged.")


async def _form(request: Request) -> dict[str, str]:
    content = await acknowledgements.read_body(request, _LONGEST_FORM) or b""
    return {name: values[0] for name, values in parse_qs(content.decode("utf-8", "replace")).items()}


def _comparison_values(verdict: Verdict) -> dict[str, Any]:
    changed = sorted((each for each in verdict.evidence if each.gating and each.difference), key=lambda e: e.difference)
    return {
        "verdict": verdict,
        "rows": [_row(each) for each in changed],
        "lost": [_lost(redact(query, verdict.policy.query_text)) for query in verdict.lost_queries],
    }


def _row(evidence: Evidence) -> dict[str, Any]:
    numbers = (evidence.baseline_mean, evidence.candidate_mean, evidence.difference)
    interval = f"{evidence.lower:+.4f} … {evidence.upper:+.4f}"
    p_value = f"{evidence.p_worse_adjusted:.2g}"
    values = [*(f"{value:.4f}" for value in numbers), interval, p_value, evidence.n_queries, evidence.n_clusters]
    names = ("suite", "axis", "stratum", "measure", "fallen")
    return {**{name: getattr(evidence, name) for name in names}, "numbers": values}


def _lost(query: dict[str, Any]) -> dict[str, str]:
    titles = query.get("titles") or {}

    def documents_of(key: str, count: int) -> str:
        return ", ".join(str(titles.get(each, each)) for each in (query.get(key) or [])[:count]) or MISSING

    ranks = [query.get(name) or MISSING for name in ("rank_before", "rank_now")]
    return {
        "text": str(query.get("query") or query.get("query_id")),
        "stratum": str(query.get("stratum", "")),
        "expected": documents_of("expected", 3),
        "ranks": f"{ranks[0]} → {ranks[1]}",
        "now": documents_of("retrieved_now", 1),
    }


async def _run_page(store: Store, run_id: str) -> Response:
    run = await store.load_run(run_id)
    suite = await store.load_suite(run.suite_digest)
    measures = Plan(target=run.target, suites=(suite,), policy=Config().policy("default")).measures
    measured = await asyncio.to_thread(measure, run, suite, measures)
    strata = by_stratum(measured)
    names = list(dict.fromkeys(name for values in strata.values() for name in values))
    return page("run.html", f"Run of {run.target}", run=run, counts=measured.counts, strata=strata, measures=names)

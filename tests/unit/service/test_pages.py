"""The plain pages that alerts link to, and the acknowledgements that come back from on-call services."""

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette

from monitor.adapters import registry
from monitor.adapters.stores.memory.store import MemoryStore
from monitor.config.config import Config
from monitor.errors import StoreError
from monitor.incidents.acknowledgement import with_acknowledge_link
from monitor.incidents.lifecycle import advance
from monitor.model.alerts import AlertState
from monitor.model.incidents import Incident, IncidentStatus
from monitor.model.runs import RunStatus
from monitor.service.pages.backend import PagesBackend
from monitor.service.pages.routes import documents, routes
from tests.builders import a_measured, a_query, a_suite
from tests.unit.incidents.test_lifecycle import SWAP, verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = Config.model_validate({"server": {"public_url": "https://rw.example", "signing_key": "a key"}})
OPTIONS = {
    "chat": {"kind": "slack", "token": "xoxb-1", "channel": "C1", "signing_secret": "slack-secret"},
    "pager": {"kind": "pagerduty", "routing_key": "0" * 32, "webhook_secret": "pd-secret"},
    "hook": {"kind": "teams", "url": "https://example.org/"},
}


class Site:
    """The pages over a store with one open incident."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        on_call = replace(CONFIG.on_call, notifiers=("chat",))
        lost = {"query_id": "q1", "query": "<b>who?</b>", "suite": "legal", "stratum": "torts", "expected": ["d1"],
                "titles": {"d1": "Tenancy"}, "retrieved_now": ["d9"], "rank_before": 1, "rank_now": None}  # fmt: skip
        self.verdict = replace(verdict(lost=[lost]), decided_at=NOON)
        incident, alerts = advance(None, self.verdict, on_call, SWAP)
        assert incident is not None
        self.incident_id = incident.incident_id
        asyncio.run(self.store.save_incident(incident, alerts))
        self.store.verdicts.append(self.verdict)
        self.link = with_acknowledge_link(alerts[0], on_call.links).payload["data"]["links"]["acknowledge"]
        self.rung = 0
        options = {name: registry.resolve("notifier", each, where=name).options for name, each in OPTIONS.items()}
        self.is_open = True
        self.backend = PagesBackend(
            store=self._store, config=lambda: CONFIG, now=lambda: NOON, notifiers=lambda: options, wake=self._ring
        )

    def _store(self) -> MemoryStore:
        if not self.is_open:
            raise StoreError("the store is not open")
        return self.store

    def _ring(self) -> None:
        self.rung += 1

    @property
    def incident(self) -> Incident:
        """The incident as it is now."""
        return self.store.incidents[self.incident_id]

    def request(self, method: str, path: str, **arguments: object) -> httpx.Response:
        """One request."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(Starlette(routes=routes(self.backend)))
            async with httpx.AsyncClient(transport=transport, base_url="https://rw.example") as client:
                return await client.request(method, path, **arguments)  # type: ignore[arg-type]  # by name

        return asyncio.run(send())


def test_the_page_of_an_incident_shows_the_message_and_no_script():
    """The page has what the message has, with texts escaped and everything foreign forbidden."""
    site = Site()
    page = site.request("GET", f"/incidents/{site.incident_id}")
    assert page.status_code == 200
    assert "Search on docs got worse after minilm-v2" in page.text
    assert "&lt;b&gt;who?&lt;/b&gt;" in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_every_link_of_an_alert_opens():
    """Each address in the stored alert, and the signed one, answers 200."""
    site = Site()
    suite = a_suite(a_query())
    measured = a_measured(suite, {"q1": ["d1"]}, run_id="run-after")
    asyncio.run(site.store.save_suite(suite))
    asyncio.run(site.store.start_run(replace(measured.run, outcomes=(), status=RunStatus.RUNNING)))
    asyncio.run(site.store.save_outcomes("run-after", measured.run.outcomes))
    asyncio.run(site.store.finish_run(measured))
    links = next(iter(site.store.alerts.values())).payload["data"]["links"]
    assert set(links) == {"incident", "comparison", "run", "runbook"}
    for name, url in {**links, "acknowledge": site.link}.items():
        page = site.request("GET", url.removeprefix("https://rw.example"))
        assert page.status_code == 200, name
    runbook = site.request("GET", "/docs/runbooks").text
    assert 'id="recallwatchregression"' in runbook
    assert "Tenancy" in site.request("GET", f"/comparisons/{site.verdict.verdict_id}").text


def test_every_anchor_of_an_alert_is_in_the_runbooks():
    """The runbook that an alert or a rule names exists."""
    text = (documents() / "runbooks.md").read_text(encoding="utf-8").lower()
    for anchor in ("recallwatchregression", "recallwatchnodata", "recallwatchdeadletters"):
        assert f"### {anchor}" in text


def test_an_unknown_id_is_not_found():
    """A page that does not exist says so."""
    site = Site()
    for path in ("/incidents/none", "/comparisons/none", "/runs/none"):
        assert site.request("GET", path).status_code == 404
    site.is_open = False
    assert site.request("GET", "/incidents/none").status_code == 503


def test_reading_a_signed_link_changes_nothing_and_pressing_its_button_acknowledges_once():
    """Mail scanners read every link; the person presses the button, and a second press changes nothing."""
    site = Site()
    path = site.link.removeprefix("https://rw.example")
    page = site.request("GET", path)
    assert site.incident.status is IncidentStatus.OPEN
    token = re.search(r'name="token" value="([0-9a-f]+)"', page.text)
    assert token is not None
    form = {"token": token[1], "by": "ada"}
    address = f"/incidents/{site.incident_id}/acknowledge"
    assert "Acknowledged." in site.request("POST", address, data=form).text
    assert (site.incident.status, site.incident.acknowledged_by, site.rung) == (IncidentStatus.ACKNOWLEDGED, "ada", 1)
    assert "acknowledged already" in site.request("POST", address, data={**form, "by": "bob"}).text
    assert site.incident.acknowledged_by == "ada"
    states = [alert.state for alert in site.store.alerts.values()]
    assert states == [AlertState.FIRING, AlertState.ACKNOWLEDGED]
    acknowledged = list(site.store.alerts.values())[1].payload["data"]
    assert acknowledged["headline"]["measure"] == "recall@10", "the evidence is repeated"


@pytest.mark.parametrize("token", ["", "0" * 40, "x"])
def test_a_forged_link_acknowledges_nothing(token):
    """A token that the server did not sign is refused."""
    site = Site()
    page = site.request("POST", f"/incidents/{site.incident_id}/acknowledge", data={"token": token, "by": "eve"})
    assert page.status_code == 403
    assert site.incident.status is IncidentStatus.OPEN


def slack_press(incident_id: str, key: str = "slack-secret", at: datetime = NOON) -> tuple[bytes, dict[str, str]]:
    """The signed request of Slack for a pressed button."""
    payload = {"type": "block_actions", "user": {"id": "U1", "username": "ada"},
               "actions": [{"action_id": "acknowledge", "value": incident_id}]}  # fmt: skip
    body = urlencode({"payload": json.dumps(payload)}).encode()
    sent = str(int(at.timestamp()))
    signature = hmac.new(key.encode(), f"v0:{sent}:".encode() + body, hashlib.sha256).hexdigest()
    return body, {"x-slack-request-timestamp": sent, "x-slack-signature": f"v0={signature}"}


def pagerduty_event(
    key: str, webhook_key: str = "pd-secret", kind: str = "incident.acknowledged"
) -> tuple[bytes, dict[str, str]]:
    """The signed webhook of PagerDuty about an incident."""
    event = {"event_type": kind, "agent": {"summary": "Ada L."}, "data": {"incident_key": key}}
    body = json.dumps({"event": event}).encode()
    signature = hmac.new(webhook_key.encode(), body, hashlib.sha256).hexdigest()
    return body, {"x-pagerduty-signature": f"v1={'0' * 64},v1={signature}"}


def post(site: Site, name: str, signed: tuple[bytes, Mapping[str, str]]) -> int:
    """Send a request of a service to its address."""
    body, headers = signed
    return site.request("POST", f"/notifiers/{name}/events", content=body, headers=headers).status_code


def test_the_button_in_slack_acknowledges():
    """A signed press acknowledges with the person's name; a second one changes nothing."""
    site = Site()
    assert [post(site, "chat", slack_press(site.incident_id)) for _ in range(2)] == [200, 200]
    assert (site.incident.status, site.incident.acknowledged_by, site.rung) == (IncidentStatus.ACKNOWLEDGED, "ada", 1)


def test_an_acknowledgement_in_pagerduty_counts():
    """PagerDuty names the incident by its dedup key; another event changes nothing."""
    site = Site()
    key = site.incident.dedup_key
    assert post(site, "pager", pagerduty_event(key, kind="incident.annotated")) == 200
    assert site.incident.status is IncidentStatus.OPEN
    assert post(site, "pager", pagerduty_event(key)) == 200
    assert site.incident.acknowledged_by == "Ada L."


def test_a_request_that_is_not_signed_acknowledges_nothing():
    """A wrong secret, an old request, a notifier that reports nothing and an unknown one are refused."""
    site = Site()
    old = datetime(2026, 3, 1, 11, 54, tzinfo=UTC)
    refused = [
        ("chat", slack_press(site.incident_id, "other")),
        ("chat", slack_press(site.incident_id, at=old)),
        ("chat", (b"payload=1", {})),
        ("pager", pagerduty_event(site.incident.dedup_key, "other")),
    ]
    assert [post(site, name, signed) for name, signed in refused] == [401] * 4
    assert [post(site, name, (b"{}", {})) for name in ("hook", "none")] == [404, 404]
    assert site.incident.status is IncidentStatus.OPEN


def test_a_signed_request_about_something_else_is_accepted():
    """Slack and PagerDuty repeat what is not answered with 200."""
    site = Site()
    assert post(site, "chat", slack_press("another incident")) == 200
    assert post(site, "pager", pagerduty_event("another key")) == 200

"""The webhook's own contract: its signature, and the meaning of each response."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from monitor.adapters import registry
from monitor.errors import ConfigError, NotifierError, Reason
from monitor.model.alerts import Alert, AlertState
from tests.contract.local_server import (
    Answer,
    LocalServer,
    hang_up,
    in_turn,
    reply,
    reset,
    serving,
    silence,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALERT = Alert(
    alert_id="firing_0123456789abcdef01234567",
    incident_id="incident_1",
    dedup_key="recallwatch/production",
    state=AlertState.FIRING,
    payload={"type": "incident.firing", "data": {"summary": "recall@10 fell by 8 points – roll back", "lower": -0.1}},
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def build(url: str, **options: Any) -> Any:
    """The webhook, built from options as in a configuration."""
    settings = {"kind": "webhook", "url": url, "secret": SECRET, "timeout": "60s", **options}
    if "secret_file" in options:
        del settings["secret"]
    return registry.resolve("notifier", settings, where="notifiers.on-call").build()


async def send(url: str, alert: Alert = ALERT, **options: Any) -> None:
    """Deliver one alert."""
    notifier = build(url, **options)
    try:
        await notifier.notify(alert)
    finally:
        await notifier.close()


def received(answer: Answer, *alerts: Alert, path: str = "/hook", **options: Any) -> LocalServer:
    """A server that received the alerts in order."""

    async def run() -> LocalServer:
        async with serving(answer) as server:
            for alert in alerts or (ALERT,):
                await send(server.url(path), alert, **options)
            return server

    return asyncio.run(run())


def refusal(answer: Answer, **options: Any) -> NotifierError:
    """The error for a server that responds like this."""
    with pytest.raises(NotifierError) as caught:
        received(answer, path="/hook/s3cret-path", **options)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_an_accepted_alert_has_a_valid_signature(status):
    """The reference library verifies the message with the secret, byte for byte."""
    (request,) = received(reply(status)).requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert Webhook(SECRET).verify(request.body, request.headers) == ALERT.payload
    assert json.loads(request.body) == ALERT.payload


def test_a_changed_message_does_not_verify():
    """The signature covers the body, so a changed body is rejected."""
    (request,) = received(reply()).requests
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRET).verify(request.body.replace(b"8 points", b"1 point"), request.headers)


def test_the_secret_can_come_from_a_file(tmp_path):
    """A secret in a file signs like the same secret in the configuration, with or without a newline."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    (request,) = received(reply(), secret_file=str(tmp_path / "secret")).requests
    assert Webhook(SECRET).verify(request.body, request.headers) == ALERT.payload


def test_a_missing_file_is_a_configuration_error(tmp_path):
    """The error for a missing secret names its file."""
    with pytest.raises(ConfigError, match="No such file"):
        build("http://127.0.0.1:1/", secret_file=str(tmp_path / "missing"))


def test_the_id_stays_the_same_over_retries():
    """A retry has the id of the first attempt, so that a receiver can ignore duplicates."""

    async def run() -> LocalServer:
        async with serving(in_turn(reply(503), reply(200))) as server:
            notifier = build(server.url("/hook"))
            with pytest.raises(NotifierError):
                await notifier.notify(ALERT)
            await notifier.notify(ALERT)
            await notifier.close()
            return server

    first, second = asyncio.run(run()).requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == ALERT.alert_id
    assert first.body == second.body


def test_different_alerts_have_different_ids():
    """The firing and the resolved message of an incident have different ids."""
    other = replace(ALERT, alert_id="resolved_1", state=AlertState.RESOLVED)
    first, second = received(reply(), ALERT, other).requests
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


REFUSALS: dict[str, tuple[Answer, Reason]] = {
    "401": (reply(401), Reason.UNAUTHORISED),
    "403": (reply(403), Reason.UNAUTHORISED),
    "400": (reply(400), Reason.REJECTED),
    "404": (reply(404), Reason.REJECTED),
    "410": (reply(410), Reason.REJECTED),
    "429": (reply(429), Reason.RATE_LIMITED),
    "500": (reply(500), Reason.BROKEN),
    "503": (reply(503), Reason.BROKEN),
    "301": (reply(301, headers={"location": "/elsewhere"}), Reason.REJECTED),
    "307": (reply(307, headers={"location": "/elsewhere"}), Reason.REJECTED),
    "no answer": (silence, Reason.TIMEOUT),
    "connection reset": (reset, Reason.BROKEN),
    "connection closed": (hang_up, Reason.BROKEN),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_every_failure_has_its_reason_and_shows_no_secret(case):
    """A failure has its reason, without the secret or the address."""
    answer, reason = REFUSALS[case]
    error = refusal(answer, timeout="300ms" if reason is Reason.TIMEOUT else "60s")
    assert error.reason is reason, error
    assert SECRET.removeprefix("whsec_") not in str(error)
    assert "s3cret-path" not in str(error)


@pytest.mark.parametrize(
    ("header", "expected"),
    [("120", 120.0), ("0", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-5", None), ("", None)],
)
def test_a_numeric_retry_after_is_used(header, expected):
    """The delay that the receiver requests is part of the error."""
    error = refusal(reply(429, headers={"retry-after": header}))
    assert error.retry_after_s == expected


def test_a_retry_after_in_strange_digits_is_ignored():
    """A header that only looks like a number is ignored, and the error keeps its reason."""
    error = refusal(reply(429, headers={"retry-after": "\xb2"}))
    assert (error.reason, error.retry_after_s) == (Reason.RATE_LIMITED, None)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_a", "whsec_ünïcode"])
def test_an_invalid_secret_is_a_configuration_error(secret):
    """An empty secret, or one that is not base64, is a configuration error."""
    settings = {"kind": "webhook", "url": "http://127.0.0.1:1/", "secret": secret}
    with pytest.raises(ConfigError, match=r"notifiers\.on-call"):
        registry.resolve("notifier", settings, where="notifiers.on-call")

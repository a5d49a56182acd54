"""What the webhook promises beyond every notifier: its signature, and what each answer of a receiver means."""

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
    """The webhook, built as a configuration would build it."""
    stated = {"kind": "webhook", "url": url, "secret": SECRET, "timeout": "60s", **options}
    if "secret_file" in options:
        del stated["secret"]
    return registry.resolve("notifier", stated, where="notifiers.on-call").build()


async def send(url: str, alert: Alert = ALERT, **options: Any) -> None:
    """Deliver one alert."""
    notifier = build(url, **options)
    try:
        await notifier.notify(alert)
    finally:
        await notifier.close()


def received(answer: Answer, *alerts: Alert, path: str = "/hook", **options: Any) -> LocalServer:
    """A server that was sent the alerts one after the other."""

    async def run() -> LocalServer:
        async with serving(answer) as server:
            for alert in alerts or (ALERT,):
                await send(server.url(path), alert, **options)
            return server

    return asyncio.run(run())


def refusal(answer: Answer, **options: Any) -> NotifierError:
    """The error that comes of a server that answers in the given way."""
    with pytest.raises(NotifierError) as caught:
        received(answer, path="/hook/s3cret-path", **options)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_an_accepted_alert_carries_a_signature_that_verifies(status):
    """A receiver with the secret and the reference library can trust the message, byte for byte."""
    (asked,) = received(reply(status)).requests
    assert asked.method == "POST"
    assert asked.headers["content-type"] == "application/json"
    assert Webhook(SECRET).verify(asked.body, asked.headers) == ALERT.payload
    assert json.loads(asked.body) == ALERT.payload


def test_a_changed_message_does_not_verify():
    """The signature is over the body: another body is refused."""
    (asked,) = received(reply()).requests
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRET).verify(asked.body.replace(b"8 points", b"1 point"), asked.headers)


def test_the_secret_can_come_from_a_file(tmp_path):
    """A secret in a file signs as the same secret in the configuration, trailing newline or not."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    (asked,) = received(reply(), secret_file=str(tmp_path / "secret")).requests
    assert Webhook(SECRET).verify(asked.body, asked.headers) == ALERT.payload


def test_a_file_that_is_not_there_is_a_configuration_error(tmp_path):
    """A missing secret is told by the name of its file."""
    with pytest.raises(ConfigError, match="No such file"):
        build("http://127.0.0.1:1/", secret_file=str(tmp_path / "missing"))


def test_the_id_stays_the_same_over_retries():
    """A receiver can drop what it has seen: a second attempt has the first one's id."""

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
    """Firing and resolved of one incident are two messages."""
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
def test_every_refusal_has_its_reason_and_tells_no_secret(case):
    """What goes wrong at the receiver is told by its reason, without the secret or the address."""
    answer, reason = REFUSALS[case]
    error = refusal(answer, timeout="300ms" if reason is Reason.TIMEOUT else "60s")
    assert error.reason is reason, error
    assert SECRET.removeprefix("whsec_") not in str(error)
    assert "s3cret-path" not in str(error)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("120", 120.0), ("0", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-5", None), ("", None)],
)
def test_retry_after_is_kept_where_it_is_a_number(stated, expected):
    """How long the receiver asks to be left alone reaches the courier."""
    error = refusal(reply(429, headers={"retry-after": stated}))
    assert error.retry_after_s == expected


def test_a_retry_after_in_strange_digits_is_ignored():
    """A header that only looks like a number is no reason to lose the error's own."""
    error = refusal(reply(429, headers={"retry-after": "\xb2"}))
    assert (error.reason, error.retry_after_s) == (Reason.RATE_LIMITED, None)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_a", "whsec_ünïcode"])
def test_a_secret_that_cannot_sign_is_found_before_anything_starts(secret):
    """A secret that is empty or not base64 is a configuration error, found while the configuration is checked."""
    stated = {"kind": "webhook", "url": "http://127.0.0.1:1/", "secret": secret}
    with pytest.raises(ConfigError, match=r"notifiers\.on-call"):
        registry.resolve("notifier", stated, where="notifiers.on-call")

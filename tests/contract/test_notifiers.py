"""The contract of every notifier, checked against a fake of its service over a real connection."""

import asyncio
import inspect
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from monitor.adapters import registry
from monitor.errors import ConfigError, NotifierError, Reason
from monitor.model.alerts import Alert, AlertState
from monitor.testing.alerts import FIRING, RESOLVED, a_large_alert, an_alert
from tests.contract.fakes import REASONS, SERVICES, Fake, Fault, Service
from tests.contract.local_server import raw, serving, unused_port
from tests.contract.test_retrievers import LIBRARY_ERRORS, an_instance_of


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service:
    """Each service in turn."""
    return SERVICES[request.param]


@pytest.fixture(params=[name for name in SERVICES if name != "webhook"])
def wording_service(request: pytest.FixtureRequest) -> Service:
    """Each service that gets a rendered message; the webhook gets the payload itself."""
    return SERVICES[request.param]


@pytest.fixture(params=[name for name in SERVICES if name != "email"])
def http_service(request: pytest.FixtureRequest) -> Service:
    """Each service over HTTP in turn."""
    return SERVICES[request.param]


def build(options: dict[str, Any]) -> Any:
    """The notifier, built from options as in a configuration."""
    return registry.resolve("notifier", {"timeout": "60s", **options}, where="notifiers.on-call").build()


async def send(options: dict[str, Any], *alerts: Alert) -> None:
    """Deliver alerts in order."""
    notifier = build(options)
    try:
        for alert in alerts:
            await notifier.notify(alert)
    finally:
        await notifier.close()


def delivered(service: Service, *alerts: Alert, **options: Any) -> Fake:
    """The fake after the alerts were delivered to it."""

    async def run() -> Fake:
        async with service.running() as fake:
            try:
                await send({**fake.options, **options}, *alerts)
            except NotifierError as error:
                pytest.fail(f"{error}; the service says: {fake.complaints}")
            return fake

    return asyncio.run(run())


def refusal(service: Service, *faults: Fault, **options: Any) -> tuple[NotifierError, Fake]:
    """The error of a failing service, and the service."""

    async def run() -> tuple[NotifierError, Fake]:
        async with service.running(*faults) as fake:
            with pytest.raises(NotifierError) as caught:
                await send({**fake.options, **options}, FIRING)
            return caught.value, fake

    return asyncio.run(run())


def silence_of(service: Service) -> tuple[NotifierError, Fake]:
    """The error of a service that accepts the message and never responds; the timeout grows for busy machines."""
    for timeout in ("300ms", "3s", "30s"):
        error, fake = refusal(service, Fault.IS_SILENT, timeout=timeout)
        if fake.attempts:
            break
    return error, fake


def options_of(service: Service) -> dict[str, Any]:
    """Options for a service that is no longer running."""

    async def run() -> dict[str, Any]:
        async with service.running() as fake:
            return fake.options

    return asyncio.run(run())


def test_every_notifier_has_a_fake():
    """Every built-in notifier has a fake of its service."""
    assert {options_of(each)["kind"] for each in SERVICES.values()} == set(registry.BUILT_IN["notifier"])


STATES = ("firing", "acknowledged", "reminder", "reopened", "resolved")


@pytest.mark.parametrize("state", STATES)
def test_an_alert_in_any_state_is_accepted(service: Service, state: str):
    """The service accepts a message of every incident state, by its published rules."""
    fake = delivered(service, an_alert(state))
    assert len(fake.received) == 1
    assert fake.received[0].is_closed is (state == "resolved")


def test_firing_and_resolved_are_one_incident_at_the_service(service: Service):
    """Both messages of an incident have the same key, so that the second one closes the incident."""
    first, second = delivered(service, FIRING, RESOLVED).received
    assert first.key == second.key
    assert (first.is_closed, second.is_closed) == (False, True)


def test_a_slack_bot_edits_its_first_message_and_answers_in_its_thread():
    """Later states replace the first message and add a reply; buttons acknowledge while that makes sense."""
    service = SERVICES["slack bot"]
    states = ("acknowledged", "firing", "resolved")
    alerts = [an_alert(), *(replace(an_alert(state), receipt="1700000000.000100") for state in states)]
    messages = [each.content for each in delivered(service, *alerts, signing_secret="s3cret-signing").received]
    assert [("ts" in each, "thread_ts" in each) for each in messages] == [
        (False, False), *((True, False), (False, True)) * 3,
    ]  # fmt: skip
    buttons = [each["blocks"][-1]["elements"][0] for each in messages if "blocks" in each]
    assert [each.get("action_id") for each in buttons] == ["acknowledge", None, "acknowledge", None]
    assert buttons[0]["value"] == FIRING.incident_id


def test_two_incidents_are_separate_at_the_service(service: Service):
    """Messages of different incidents have different keys, if the service uses keys."""
    other = replace(FIRING, incident_id="incident_2", dedup_key="recallwatch/staging")
    other = replace(other, payload={**FIRING.payload, "data": {**FIRING.payload["data"], "dedup_key": other.dedup_key}})
    first, second = delivered(service, FIRING, other).received
    assert first.key != second.key or first.key == second.key == ""


def test_a_message_has_the_facts_that_on_call_needs(service: Service):
    """Every service shows the deployment, the drop, cause, blame, lost queries, advice, commands, owner and links."""
    (received,) = delivered(service, FIRING).received
    for needed in (
        "production", "minilm-v2", "search", "recall@10", "the embedding model changed", "Dunning of late payers",
        "which invoices are overdue?", "roll back", "recallwatch compare b1 r1",
        "https://watch.example.org/incidents/incident_1", "https://watch.example.org/comparisons/v1",
    ):  # fmt: skip
        assert needed in received.as_text


def test_a_rendered_message_reads_from_the_event_to_the_statistics(wording_service: Service):
    """The reader meets what happened, how bad it is, the cause, the blame, the queries and the next step, in order."""
    (received,) = delivered(wording_service, FIRING).received
    places = [
        received.as_text.index(text)
        for text in (
            "got worse after minilm-v2 (declared 03:04 UTC by ci)", "19 of 100 known answers are no longer found",
            "the embedding model changed", "retrieval 92 %", "rank 1 → 14", "roll back to minilm-v1", "adjusted p",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    assert "recallwatch incident acknowledge" in received.as_text


def test_an_empty_payload_is_accepted(service: Service):
    """An alert without target, summary or evidence is still delivered."""
    data = {"dedup_key": FIRING.dedup_key, "state": "firing"}
    assert delivered(service, replace(FIRING, payload={"type": "incident.firing", "data": data})).received


@pytest.mark.parametrize("character", ["x", "&", "<", '"', "\\", "\x00", "\n", "é", "語", "😀", "\ud800", "`"])
def test_a_huge_payload_stays_within_the_limits(wording_service: Service, character: str):
    """The service accepts texts of any length and any characters."""
    assert delivered(wording_service, a_large_alert(character)).received


@pytest.mark.parametrize("fault", Fault)
def test_every_failure_has_its_reason_and_shows_no_secret(service: Service, fault: Fault):
    """A failure has its reason, contains no secret, and takes a single attempt."""
    error, fake = refusal(service, fault) if fault is not Fault.IS_SILENT else silence_of(service)
    assert error.reason is REASONS[fault], error
    assert error.retry_after_s == (120.0 if fault is Fault.THROTTLES and service.has_retry_after else None)
    assert [secret for secret in service.secrets if secret in str(error)] == []
    assert fake.attempts == 1  # a redirect, too, is not followed


def test_a_failed_alert_can_be_sent_again(service: Service):
    """The same notifier delivers after a failure."""

    async def run() -> Fake:
        async with service.running(Fault.IS_DOWN) as fake:
            notifier = build(fake.options)
            with pytest.raises(NotifierError):
                await notifier.notify(FIRING)
            await notifier.notify(FIRING)
            await notifier.close()
            return fake

    assert len(asyncio.run(run()).received) == 1


def test_a_closed_port_is_unreachable(service: Service):
    """A refused connection is unreachable, not a timeout."""
    options = options_of(service)
    with pytest.raises(NotifierError) as caught:
        asyncio.run(send(_with_port(options, unused_port()), FIRING))
    assert caught.value.reason is Reason.UNREACHABLE


def test_another_protocol_is_a_notifier_error(service: Service):
    """A port with another protocol raises a NotifierError."""

    async def run() -> NotifierError:
        async with serving(raw(b"\x15\x03\x01 what?\r\n")) as server:
            with pytest.raises(NotifierError) as caught:
                await send({**_with_port(options, server.port), "timeout": "300ms"}, FIRING)
            return caught.value

    options = options_of(service)
    assert asyncio.run(run()).reason in (Reason.UNREACHABLE, Reason.BROKEN, Reason.TIMEOUT)


def _with_port(options: dict[str, Any], port: int) -> dict[str, Any]:
    """The options with another port."""
    if "port" in options:
        return {**options, "port": port}
    key = "api_url" if "api_url" in options else "url"
    return {**options, key: f"http://127.0.0.1:{port}/hook/s3cret-path"}


def test_the_options_do_not_show_a_secret(service: Service):
    """The printed options, as in a log or traceback, contain no secret."""
    part = registry.resolve("notifier", options_of(service), where="notifiers.on-call")
    printed = repr(part) + str(part.options) + part.options.model_dump_json() + repr(part.build())
    assert [secret for secret in service.secrets if secret in printed] == []


SECRET_KEYS = [
    ("webhook", "secret"), ("slack", "url"), ("slack bot", "token"), ("pagerduty", "routing_key"),
    ("alertmanager", "token"), ("teams", "url"), ("grafana_oncall", "url"), ("email", "password"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "key"), SECRET_KEYS)
def test_a_secret_can_come_from_a_file(name, key, tmp_path):
    """A secret in a file works like the same secret in the configuration, with or without a newline."""

    async def run() -> Fake:
        async with SERVICES[name].running() as fake:
            options = dict(fake.options)
            (tmp_path / "secret").write_text(options.pop(key) + "\n")
            await send({**options, f"{key}_file": str(tmp_path / "secret")}, FIRING)
            return fake

    assert asyncio.run(run()).received


@pytest.mark.parametrize(("name", "key"), SECRET_KEYS)
@pytest.mark.parametrize("mistake", ["both", "empty", "no such file", "empty file"])
def test_a_wrong_secret_option_is_a_configuration_error(name, key, mistake, tmp_path):
    """A duplicate, empty or missing secret is a configuration error that does not show the secret."""
    options = options_of(SERVICES[name])
    file = tmp_path / "secret"
    if mistake == "both":
        options[f"{key}_file"] = str(file)
    elif mistake == "empty":
        options[key] = ""
    else:
        del options[key]
        options[f"{key}_file"] = str(file)
        if mistake == "empty file":
            file.write_text("\n")
    with pytest.raises(ConfigError, match=r"^notifiers\.on-call") as caught:
        registry.resolve("notifier", options, where="notifiers.on-call")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("name", "key"), [each for each in SECRET_KEYS if each != ("email", "password")])
def test_an_unusable_secret_is_a_configuration_error(name, key):
    """A secret that cannot be used is a configuration error that does not show the secret."""
    options = {**options_of(SERVICES[name]), key: "s3cret ünusable\n"}
    with pytest.raises(ConfigError, match=r"^notifiers\.on-call") as caught:
        registry.resolve("notifier", options, where="notifiers.on-call")
    assert "s3cret" not in str(caught.value)


def test_no_error_of_a_library_leaves_a_notifier_over_http(http_service: Service, monkeypatch):
    """Every exception of httpx and aiohttp becomes a NotifierError with a reason, and without its text."""
    _check_errors(http_service, monkeypatch, aiohttp.ClientSession, "request", map(an_instance_of, LIBRARY_ERRORS))


MAIL_ERRORS = [
    *(each for _, each in inspect.getmembers(smtplib, inspect.isclass) if issubclass(each, smtplib.SMTPException)),
    ssl.SSLError, ssl.SSLCertVerificationError, TimeoutError, ConnectionResetError, BrokenPipeError, OSError,
    ValueError, UnicodeError,
]  # fmt: skip


@pytest.mark.parametrize("moment", ["_get_socket", "starttls", "login", "send_message"])
def test_no_error_of_a_library_leaves_the_email_notifier(moment, monkeypatch):
    """Every exception of smtplib and of the connection becomes a NotifierError with a reason, and without its text."""
    assert len(MAIL_ERRORS) > 15
    _check_errors(SERVICES["email"], monkeypatch, smtplib.SMTP, moment, map(_mail_error, MAIL_ERRORS))


def _mail_error(kind: type[Exception]) -> Exception:
    ways: list[Callable[[], Exception]] = [
        lambda: kind(554, b"s3cret-text"),
        lambda: kind(554, b"s3cret-text", "s3cret-text"),
        lambda: kind({"s3cret-text": (554, b"s3cret-text")}),
        lambda: kind("s3cret-text"),
    ]
    if issubclass(kind, smtplib.SMTPRecipientsRefused):
        ways = ways[2:]
    for way in ways:
        try:
            return way()
        except TypeError:
            continue
    raise AssertionError(kind)


def _check_errors(service: Service, monkeypatch: Any, place: type, name: str, errors: Any) -> None:
    async def run() -> None:
        async with service.running() as fake:
            notifier = build(fake.options)
            for error in errors:

                def fail(*_: object, error: Exception = error, **__: object) -> object:
                    raise error

                monkeypatch.setattr(place, name, fail)
                with pytest.raises(NotifierError) as caught:
                    await notifier.notify(FIRING)
                assert "s3cret" not in str(caught.value), error
            monkeypatch.undo()
            await notifier.close()

    asyncio.run(run())


def test_the_suite_knows_every_state():
    """Every alert state is covered by this module."""
    assert {str(each) for each in AlertState} <= set(STATES)

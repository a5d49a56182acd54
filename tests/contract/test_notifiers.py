"""What every notifier promises, each checked against a fake of its service over a real connection."""

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
    """Each service in turn that is told in words; the webhook carries the payload itself, whole."""
    return SERVICES[request.param]


@pytest.fixture(params=[name for name in SERVICES if name != "email"])
def http_service(request: pytest.FixtureRequest) -> Service:
    """Each service over HTTP in turn."""
    return SERVICES[request.param]


def build(options: dict[str, Any]) -> Any:
    """The notifier, built as a configuration would build it."""
    return registry.resolve("notifier", {"timeout": "60s", **options}, where="notifiers.on-call").build()


async def send(options: dict[str, Any], *alerts: Alert) -> None:
    """Deliver alerts one after the other."""
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
    """The error that comes of a service that fails, and the service."""

    async def run() -> tuple[NotifierError, Fake]:
        async with service.running(*faults) as fake:
            with pytest.raises(NotifierError) as caught:
                await send({**fake.options, **options}, FIRING)
            return caught.value, fake

    return asyncio.run(run())


def silence_of(service: Service) -> tuple[NotifierError, Fake]:
    """The error of a service that takes the message and never answers; a busy machine needs longer to get there."""
    for timeout in ("300ms", "3s", "30s"):
        error, fake = refusal(service, Fault.IS_SILENT, timeout=timeout)
        if fake.attempts:
            break
    return error, fake


def options_of(service: Service) -> dict[str, Any]:
    """Options with which a notifier reaches the service, which runs no more."""

    async def run() -> dict[str, Any]:
        async with service.running() as fake:
            return fake.options

    return asyncio.run(run())


def test_every_notifier_is_in_the_suite():
    """A notifier cannot be added without a fake of its service."""
    assert {options_of(each)["kind"] for each in SERVICES.values()} == set(registry.BUILT_IN["notifier"])


STATES = ("firing", "acknowledged", "reopened", "resolved")


@pytest.mark.parametrize("state", STATES)
def test_an_alert_in_any_state_is_taken(service: Service, state: str):
    """The service takes a message of every state an incident can be in, by its own published rules."""
    fake = delivered(service, an_alert(state))
    assert len(fake.received) == 1
    assert fake.received[0].is_closed is (state == "resolved")


def test_firing_and_resolved_are_one_incident_there(service: Service):
    """Both messages of an incident carry the same key, so that the second ends what the first began."""
    first, second = delivered(service, FIRING, RESOLVED).received
    assert first.key == second.key
    assert (first.is_closed, second.is_closed) == (False, True)


def test_two_incidents_are_two_there(service: Service):
    """Messages of different incidents have different keys where the service has keys."""
    other = replace(FIRING, incident_id="incident_2", dedup_key="recallwatch/staging")
    other = replace(other, payload={**FIRING.payload, "data": {**FIRING.payload["data"], "dedup_key": other.dedup_key}})
    first, second = delivered(service, FIRING, other).received
    assert first.key != second.key or first.key == second.key == ""


def test_a_message_says_what_on_call_needs(service: Service):
    """What fell, which query shows it, what to do and where to look arrive in every service."""
    (received,) = delivered(service, FIRING).received
    for needed in ("production", "recall@10", "roll back", "which invoices are overdue?", "recallwatch compare b1 r1"):
        assert needed in received.shown
    assert "https://watch.example.org/runs/r1" in received.shown


def test_a_payload_with_nothing_in_it_is_taken(service: Service):
    """An alert of a kind that knows neither target nor summary nor evidence is still delivered."""
    data = {"dedup_key": FIRING.dedup_key, "state": "firing"}
    assert delivered(service, replace(FIRING, payload={"type": "incident.firing", "data": data})).received


@pytest.mark.parametrize("character", ["x", "&", "<", '"', "\\", "\x00", "\n", "é", "語", "😀", "\ud800", "`"])
def test_a_huge_payload_stays_within_the_limits(wording_service: Service, character: str):
    """However long a text is and whatever it is made of, the service takes the message."""
    assert delivered(wording_service, a_large_alert(character)).received


@pytest.mark.parametrize("fault", Fault)
def test_every_refusal_has_its_reason_and_tells_no_secret(service: Service, fault: Fault):
    """What goes wrong at the service is told by its reason, without secrets, after a single attempt."""
    error, fake = refusal(service, fault) if fault is not Fault.IS_SILENT else silence_of(service)
    assert error.reason is REASONS[fault], error
    assert error.retry_after_s == (120.0 if fault is Fault.THROTTLES and service.has_retry_after else None)
    assert [secret for secret in service.secrets if secret in str(error)] == []
    assert fake.attempts == 1  # a redirect, too, is not followed


def test_what_failed_can_be_sent_again(service: Service):
    """After a failure the same notifier delivers."""

    async def run() -> Fake:
        async with service.running(Fault.IS_DOWN) as fake:
            notifier = build(fake.options)
            with pytest.raises(NotifierError):
                await notifier.notify(FIRING)
            await notifier.notify(FIRING)
            await notifier.close()
            return fake

    assert len(asyncio.run(run()).received) == 1


def test_a_port_where_nobody_listens_is_unreachable(service: Service):
    """A refused connection is told as such, not as a slow service."""
    options = options_of(service)
    with pytest.raises(NotifierError) as caught:
        asyncio.run(send(_with_port(options, unused_port()), FIRING))
    assert caught.value.reason is Reason.UNREACHABLE


def test_bytes_of_another_protocol_are_a_refusal(service: Service):
    """A port that speaks something else is told as a NotifierError."""

    async def run() -> NotifierError:
        async with serving(raw(b"\x15\x03\x01 what?\r\n")) as server:
            with pytest.raises(NotifierError) as caught:
                await send({**_with_port(options, server.port), "timeout": "300ms"}, FIRING)
            return caught.value

    options = options_of(service)
    assert asyncio.run(run()).reason in (Reason.UNREACHABLE, Reason.BROKEN, Reason.TIMEOUT)


def _with_port(options: dict[str, Any], port: int) -> dict[str, Any]:
    """The options, leading to another port."""
    if "port" in options:
        return {**options, "port": port}
    key = "api_url" if "api_url" in options else "url"
    return {**options, key: f"http://127.0.0.1:{port}/hook/s3cret-path"}


def test_the_options_do_not_show_a_secret(service: Service):
    """Printing the options, as a log or a traceback might, does not print what is secret in them."""
    part = registry.resolve("notifier", options_of(service), where="notifiers.on-call")
    shown = repr(part) + str(part.options) + part.options.model_dump_json() + repr(part.build())
    assert [secret for secret in service.secrets if secret in shown] == []


SECRET_KEYS = [
    ("webhook", "secret"), ("slack", "url"), ("slack bot", "token"), ("pagerduty", "routing_key"),
    ("alertmanager", "token"), ("teams", "url"), ("grafana_oncall", "url"), ("email", "password"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "key"), SECRET_KEYS)
def test_a_secret_can_come_from_a_file(name, key, tmp_path):
    """A secret in a file does what the same secret in the configuration does, trailing newline or not."""

    async def run() -> Fake:
        async with SERVICES[name].running() as fake:
            options = dict(fake.options)
            (tmp_path / "secret").write_text(options.pop(key) + "\n")
            await send({**options, f"{key}_file": str(tmp_path / "secret")}, FIRING)
            return fake

    assert asyncio.run(run()).received


@pytest.mark.parametrize(("name", "key"), SECRET_KEYS)
@pytest.mark.parametrize("mistake", ["both", "empty", "no such file", "empty file"])
def test_a_mistake_with_a_secret_is_found_before_anything_starts(name, key, mistake, tmp_path):
    """A secret that is given twice, is empty or missing is a configuration error that does not show it."""
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
def test_a_secret_that_cannot_work_is_found_before_anything_starts(name, key):
    """A secret that cannot sign, be sent or be asked is a configuration error that does not show it."""
    options = {**options_of(SERVICES[name]), key: "s3cret ünusable\n"}
    with pytest.raises(ConfigError, match=r"^notifiers\.on-call") as caught:
        registry.resolve("notifier", options, where="notifiers.on-call")
    assert "s3cret" not in str(caught.value)


def test_no_error_of_a_library_leaves_a_notifier_over_http(http_service: Service, monkeypatch):
    """Every exception of httpx and aiohttp becomes a NotifierError with a reason, and without its text."""
    _fails_calmly(http_service, monkeypatch, aiohttp.ClientSession, "request", map(an_instance_of, LIBRARY_ERRORS))


MAIL_ERRORS = [
    *(each for _, each in inspect.getmembers(smtplib, inspect.isclass) if issubclass(each, smtplib.SMTPException)),
    ssl.SSLError, ssl.SSLCertVerificationError, TimeoutError, ConnectionResetError, BrokenPipeError, OSError,
    ValueError, UnicodeError,
]  # fmt: skip


@pytest.mark.parametrize("moment", ["_get_socket", "starttls", "login", "send_message"])
def test_no_error_of_a_library_leaves_the_email_notifier(moment, monkeypatch):
    """Every exception of smtplib and of the connection becomes a NotifierError with a reason, and without its text."""
    assert len(MAIL_ERRORS) > 15
    _fails_calmly(SERVICES["email"], monkeypatch, smtplib.SMTP, moment, map(_mail_error, MAIL_ERRORS))


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


def _fails_calmly(service: Service, monkeypatch: Any, place: type, name: str, errors: Any) -> None:
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
    """A new state of an alert needs a line in the suite."""
    assert {str(each) for each in AlertState} <= set(STATES)

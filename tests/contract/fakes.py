"""A fake of each notified service: it accepts only valid messages, by the published rules, and fails on request."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

from monitor.errors import Reason
from tests.contract.local_server import Answer, ReceivedRequest, hang_up, reply, reset, serving, silence

HERE = Path(__file__).parent
CERTIFICATE = HERE / "localhost.pem"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROUTING_KEY = "0123456789abcdef0123s3cretrouting"[:32]


class Fault(StrEnum):
    """The ways in which a service fails."""

    REJECTS = "rejects"
    FORBIDS = "forbids"
    THROTTLES = "throttles"
    IS_DOWN = "is down"
    IS_SILENT = "is silent"
    RESETS = "resets"
    HANGS_UP = "hangs up"
    REDIRECTS = "redirects"


REASONS = {
    Fault.REJECTS: Reason.REJECTED,
    Fault.FORBIDS: Reason.UNAUTHORISED,
    Fault.THROTTLES: Reason.RATE_LIMITED,
    Fault.IS_DOWN: Reason.BROKEN,
    Fault.IS_SILENT: Reason.TIMEOUT,
    Fault.RESETS: Reason.BROKEN,
    Fault.HANGS_UP: Reason.BROKEN,
    Fault.REDIRECTS: Reason.REJECTED,
}


class Received(NamedTuple):
    """An accepted message, as the service reads it."""

    key: str
    """The key that groups the messages of an incident."""
    is_closed: bool
    """Whether the message closes the incident."""
    content: Any

    @property
    def as_text(self) -> str:
        """The whole content as text."""
        if isinstance(self.content, EmailMessage):
            plain = self.content.get_body(("plain",))
            assert plain is not None
            return f"{self.content['Subject']}\n{plain.get_content()}"
        return str(self.content)


@dataclass
class Fake:
    """A running service: its options for a notifier, accepted messages and complaints."""

    options: dict[str, Any]
    received: list[Received] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    attempts: int = 0


class Service(Protocol):
    """A service with a fake."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        ...

    @property
    def has_retry_after(self) -> bool:
        """Whether a refusal says when to try again."""
        ...

    def running(self, *faults: Fault) -> AbstractAsyncContextManager[Fake]:
        """The running fake; it fails once in each of these ways first."""
        ...


@cache
def schema(name: str) -> Draft202012Validator:
    """The JSON schema of a service; formats such as dates are checked, too."""
    rules = json.loads((HERE / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(rules)
    return Draft202012Validator(rules, format_checker=Draft202012Validator.FORMAT_CHECKER)


HTTP_FAULTS: dict[Fault, Answer] = {
    Fault.REJECTS: reply(400, {"status": "invalid event"}),
    Fault.FORBIDS: reply(403),
    Fault.THROTTLES: reply(429, headers={"retry-after": "120"}),
    Fault.IS_DOWN: reply(503),
    Fault.IS_SILENT: silence,
    Fault.RESETS: reset,
    Fault.HANGS_UP: hang_up,
    Fault.REDIRECTS: reply(307, headers={"location": "/elsewhere"}),
}


TAKES: Answer = reply(200)


@dataclass(frozen=True)
class HttpService:
    """A service over HTTP."""

    options: dict[str, Any]
    read: Callable[[ReceivedRequest], Received]
    """The message of a request. Raises an exception if the request breaks a rule."""
    secrets: tuple[str, ...]
    accepts: Answer = TAKES
    path: str = "/hook/s3cret-path"
    also: tuple[str, ...] = ()
    """Further paths that it accepts requests at."""
    url_key: str = "url"
    url_path: str | None = None
    has_retry_after: bool = True

    @asynccontextmanager
    async def running(self, *faults: Fault) -> AsyncIterator[Fake]:
        """The running fake; it fails once in each of these ways first."""
        waiting = list(faults)

        async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
            fake.attempts += 1
            if waiting:
                await HTTP_FAULTS[waiting.pop(0)](request, writer)
                return
            try:
                assert request.method == "POST"
                assert request.path in (self.path, *self.also), request.path
                assert request.headers["content-type"].startswith("application/json")
                fake.received.append(self.read(request))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the service says 400
                fake.complaints.append(f"{type(error).__name__}: {error}")
                await reply(400)(request, writer)
            else:
                await self.accepts(request, writer)

        async with serving(answer) as server:
            url = server.url(self.path if self.url_path is None else self.url_path)
            fake = Fake({**self.options, self.url_key: url})
            yield fake


def read_webhook(request: ReceivedRequest) -> Received:
    """A message with a valid signature."""
    message = Webhook(SIGNING).verify(request.body, request.headers)
    assert request.headers["webhook-id"]
    return Received(message["data"]["dedup_key"], message["data"]["state"] == "resolved", message)


def read_slack(request: ReceivedRequest) -> Received:
    """A valid Block Kit message."""
    message = json.loads(request.body)
    schema("slack").validate(message)
    assert len(request.body.decode()) <= 13_000, "msg_blocks_too_long"
    header = message["blocks"][0]["text"]["text"]
    return Received("", header.startswith(":large_green_circle:"), message)


def read_slack_bot(request: ReceivedRequest) -> Received:
    """A message from an authorised bot: a new one, an edited one, or a reply in its thread."""
    assert request.headers["authorization"] == "Bearer xoxb-s3cret-token"
    message = json.loads(request.body)
    assert message["channel"] == "C0123456789"
    assert ("ts" in message) == request.path.endswith("chat.update"), "only an edit names the message that it replaces"
    if "thread_ts" in message:
        schema("slack_reply").validate(message)
        return Received("", message["text"].startswith(":large_green_circle:"), message)
    return read_slack(request)


def read_pagerduty(request: ReceivedRequest) -> Received:
    """A valid PagerDuty event."""
    message = json.loads(request.body)
    schema("pagerduty").validate(message)
    assert len(request.body) <= 512 * 1024
    assert message["routing_key"] == ROUTING_KEY
    return Received(message["dedup_key"], message["event_action"] == "resolve", message)


def read_alertmanager(request: ReceivedRequest) -> Received:
    """Valid alerts for Alertmanager; the labels of the first are its identity."""
    message = json.loads(request.body)
    schema("alertmanager").validate(message)
    assert request.headers["authorization"] == "Bearer s3cret-token"
    is_active = [datetime.fromisoformat(each["endsAt"]) - datetime.fromisoformat(each["startsAt"]) for each in message]
    assert min(is_active) >= timedelta(0), "start time must be before end time"
    is_closed = message[0]["annotations"].get("state") == "resolved"
    return Received(json.dumps(message[0]["labels"], sort_keys=True), is_closed, message)


def read_teams(request: ReceivedRequest) -> Received:
    """A valid Adaptive Card."""
    message = json.loads(request.body)
    schema("teams").validate(message)
    assert len(request.body) <= 21_000, "Request Entity too large"  # Teams documents 28 KB, but rejects some from 21
    card = message["attachments"][0]["content"]
    return Received("", card["body"][0]["inlines"][0]["color"] == "Good", card)


def read_grafana_oncall(request: ReceivedRequest) -> Received:
    """A valid alert, grouped by its uid."""
    message = json.loads(request.body)
    schema("grafana_oncall").validate(message)
    return Received(message["alert_uid"], message["state"] == "ok", message)


SMTP_FAULTS = {
    Fault.REJECTS: "554 5.7.1 no s3cret-mail for s3cret-password",
    Fault.FORBIDS: "530 5.7.0 authentication required",
    Fault.THROTTLES: "451 4.7.1 greylisted, try again later",
    Fault.IS_DOWN: "421 4.3.2 shutting down",
    Fault.REDIRECTS: "551 5.1.6 user not local; please try <elsewhere@example.org>",
}


@dataclass(frozen=True)
class MailService:
    """An SMTP server that requires STARTTLS and a password."""

    secrets: tuple[str, ...] = ("s3cret-password",)
    security: str = "starttls"
    has_retry_after: bool = False

    @asynccontextmanager
    async def running(self, *faults: Fault) -> AsyncIterator[Fake]:
        """The running fake; it fails once in each of these ways first."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
        connected: list[SMTP] = []
        waiting = list(faults)

        class Post:
            """The handler of a message."""

            async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
                self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
            ) -> str:
                if address.startswith("nobody@"):
                    return "550 5.1.1 no such user"
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
                fake.attempts += 1
                if waiting:
                    return await fail(waiting.pop(0), server)
                assert isinstance(envelope.content, bytes)
                fake.received.append(read_mail(envelope.content))
                return "250 OK"

        async def fail(fault: Fault, server: SMTP) -> str:
            if fault is Fault.IS_SILENT:
                await asyncio.Event().wait()
            if fault in (Fault.RESETS, Fault.HANGS_UP):
                assert isinstance(server.transport, asyncio.Transport)
                server.transport.abort() if fault is Fault.RESETS else server.transport.close()
                await asyncio.Event().wait()
            return SMTP_FAULTS[fault]

        def admit(_: SMTP, __: Session, ___: Envelope, ____: str, credentials: object) -> AuthResult:
            is_right = isinstance(credentials, LoginPassword) and credentials == LoginPassword(
                b"recallwatch", b"s3cret-password"
            )
            return AuthResult(success=is_right, handled=False)  # the server answers

        def protocol() -> SMTP:
            is_starttls = self.security == "starttls"
            connected.append(
                SMTP(
                    Post(),
                    hostname="localhost",
                    tls_context=context if is_starttls else None,
                    require_starttls=is_starttls,
                    auth_required=is_starttls,  # it does not know TLS from the first byte, and would warn
                    auth_require_tls=is_starttls,
                    authenticator=admit,
                    loop=loop,
                )
            )
            return connected[-1]

        loop = asyncio.get_running_loop()
        tls = context if self.security == "tls" else None
        server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
        fake = Fake(self._options(server.sockets[0].getsockname()[1]))
        try:
            yield fake
        finally:
            server.close()
            for session in connected:
                if isinstance(session.transport, asyncio.Transport):
                    session.transport.abort()
            await asyncio.sleep(0.01)  # transports under TLS need some turns of the loop to be gone

    def _options(self, port: int) -> dict[str, Any]:
        signing_in = {"user": "recallwatch", "password": "s3cret-password"} if self.security != "none" else {}
        return {
            "kind": "email",
            "host": "127.0.0.1",
            "port": port,
            "security": self.security,
            "ca_file": str(CERTIFICATE),
            "sender": "recallwatch@example.org",
            "recipients": ["on-call@example.org", "lead@example.org"],
            **signing_in,
        }


def read_mail(content: bytes) -> Received:
    """A message that follows RFC 5322, with the headers of a thread."""
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    for name in ("From", "To", "Date", "Message-ID", "Subject", "References", "In-Reply-To"):
        assert len(message.get_all(name, [])) == 1, f"{name} must be there once"
    assert max(map(len, content.splitlines())) <= 998
    assert str(message["Subject"]).startswith("[recallwatch"), message["Subject"]
    html = message.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    return Received(str(message["References"]), message["X-Recallwatch-State"] == "resolved", message)


SERVICES: dict[str, Service] = {
    "webhook": HttpService({"kind": "webhook", "secret": SIGNING}, read_webhook, (SIGNING.removeprefix("whsec_"),)),
    "slack": HttpService({"kind": "slack"}, read_slack, ("s3cret-path",), reply(200, b"ok")),
    "slack bot": HttpService(
        {"kind": "slack", "token": "xoxb-s3cret-token", "channel": "C0123456789"},
        read_slack_bot,
        ("s3cret-token",),
        reply(200, {"ok": True, "ts": "1.2"}),
        path="/api/chat.postMessage",
        also=("/api/chat.update",),
        url_key="api_url",
    ),
    "pagerduty": HttpService(
        {"kind": "pagerduty", "routing_key": ROUTING_KEY},
        read_pagerduty,
        (ROUTING_KEY,),
        reply(202, {"status": "success"}),
        path="/v2/enqueue",
    ),
    "alertmanager": HttpService(
        {"kind": "alertmanager", "token": "s3cret-token"},
        read_alertmanager,
        ("s3cret-token",),
        path="/prefix/api/v2/alerts",
        url_path="/prefix/",
    ),
    "teams": HttpService({"kind": "teams"}, read_teams, ("s3cret-path",), reply(202)),
    "grafana_oncall": HttpService(
        {"kind": "grafana_oncall"}, read_grafana_oncall, ("s3cret-path",), reply(200, b"Ok.")
    ),
    "email": MailService(),
}

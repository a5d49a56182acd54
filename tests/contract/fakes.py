"""A fake of each service that is notified: it takes only what the published rules allow, and fails on request."""

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
    """How a service fails."""

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
    """What a service understood of a message it took."""

    key: str
    """What joins the messages of one incident there."""
    is_closed: bool
    """Whether it says that the incident has ended."""
    content: Any

    @property
    def shown(self) -> str:
        """Everything that it says."""
        if isinstance(self.content, EmailMessage):
            return f"{self.content['Subject']}\n{self.content.get_content()}"
        return str(self.content)


@dataclass
class Fake:
    """A service that runs: how a notifier reaches it, what it took, and what it complained about."""

    options: dict[str, Any]
    received: list[Received] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    attempts: int = 0


class Service(Protocol):
    """A service of which there is a fake."""

    secrets: tuple[str, ...]
    """What must never be shown."""
    has_retry_after: bool

    def running(self, *faults: Fault) -> AbstractAsyncContextManager[Fake]:
        """The fake, failing once in each of these ways before it works."""
        ...


def schema(name: str) -> Draft202012Validator:
    """The rules of a service, formats such as dates checked too."""
    stated = json.loads((HERE / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(stated)
    return Draft202012Validator(stated, format_checker=Draft202012Validator.FORMAT_CHECKER)


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
    """A service that is spoken to over HTTP."""

    options: dict[str, Any]
    read: Callable[[ReceivedRequest], Received]
    """What the service makes of a request; raises if it breaks a rule."""
    secrets: tuple[str, ...]
    accepts: Answer = TAKES
    path: str = "/hook/s3cret-path"
    url_key: str = "url"
    url_path: str | None = None
    has_retry_after: bool = True

    @asynccontextmanager
    async def running(self, *faults: Fault) -> AsyncIterator[Fake]:
        """The fake, failing once in each of these ways before it works."""
        waiting = list(faults)

        async def answer(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
            fake.attempts += 1
            if waiting:
                await HTTP_FAULTS[waiting.pop(0)](asked, writer)
                return
            try:
                assert (asked.method, asked.path) == ("POST", self.path)
                assert asked.headers["content-type"].startswith("application/json")
                fake.received.append(self.read(asked))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the service says 400
                fake.complaints.append(f"{type(error).__name__}: {error}")
                await reply(400)(asked, writer)
            else:
                await self.accepts(asked, writer)

        async with serving(answer) as server:
            url = server.url(self.path if self.url_path is None else self.url_path)
            fake = Fake({**self.options, self.url_key: url})
            yield fake


def read_webhook(asked: ReceivedRequest) -> Received:
    """A message whose signature verifies."""
    said = Webhook(SIGNING).verify(asked.body, asked.headers)
    assert asked.headers["webhook-id"]
    return Received(said["data"]["dedup_key"], said["data"]["state"] == "resolved", said)


def read_slack(asked: ReceivedRequest) -> Received:
    """A message of Block Kit that Slack shows."""
    said = json.loads(asked.body)
    schema("slack").validate(said)
    assert len(asked.body.decode()) <= 13_000, "msg_blocks_too_long"
    header = said["blocks"][0]["text"]["text"]
    return Received("", "[RESOLVED]" in header, said)


def read_slack_bot(asked: ReceivedRequest) -> Received:
    """A message that the bot may post."""
    received = read_slack(asked)
    assert asked.headers["authorization"] == "Bearer xoxb-s3cret-token"
    assert received.content["channel"] == "C0123456789"
    return received


def read_pagerduty(asked: ReceivedRequest) -> Received:
    """An event that PagerDuty queues."""
    said = json.loads(asked.body)
    schema("pagerduty").validate(said)
    assert len(asked.body) <= 512 * 1024
    assert said["routing_key"] == ROUTING_KEY
    return Received(said["dedup_key"], said["event_action"] == "resolve", said)


def read_alertmanager(asked: ReceivedRequest) -> Received:
    """Alerts that Alertmanager takes, looked at a day after they began; the labels of the first are its identity."""
    said = json.loads(asked.body)
    schema("alertmanager").validate(said)
    assert asked.headers["authorization"] == "Bearer s3cret-token"
    is_active = [datetime.fromisoformat(each["endsAt"]) - datetime.fromisoformat(each["startsAt"]) for each in said]
    assert min(is_active) >= timedelta(0), "start time must be before end time"
    return Received(json.dumps(said[0]["labels"], sort_keys=True), max(is_active) <= timedelta(days=1), said)


def read_teams(asked: ReceivedRequest) -> Received:
    """A card that a workflow posts."""
    said = json.loads(asked.body)
    schema("teams").validate(said)
    assert len(asked.body) <= 21_000, "Request Entity too large"  # documented are 28 KB, refused it has been from 21 on
    card = said["attachments"][0]["content"]
    return Received("", "[RESOLVED]" in card["body"][0]["inlines"][0]["text"], card)


def read_grafana_oncall(asked: ReceivedRequest) -> Received:
    """An alert that OnCall groups by its uid."""
    said = json.loads(asked.body)
    schema("grafana_oncall").validate(said)
    return Received(said["alert_uid"], said["state"] == "ok", said)


SMTP_FAULTS = {
    Fault.REJECTS: "554 5.7.1 no s3cret-mail for s3cret-password",
    Fault.FORBIDS: "530 5.7.0 authentication required",
    Fault.THROTTLES: "451 4.7.1 greylisted, try again later",
    Fault.IS_DOWN: "421 4.3.2 shutting down",
    Fault.REDIRECTS: "551 5.1.6 user not local; please try <elsewhere@example.org>",
}


@dataclass(frozen=True)
class MailService:
    """An SMTP server that wants STARTTLS and a password."""

    secrets: tuple[str, ...] = ("s3cret-password",)
    security: str = "starttls"
    has_retry_after: bool = False

    @asynccontextmanager
    async def running(self, *faults: Fault) -> AsyncIterator[Fake]:
        """The fake, failing once in each of these ways before it works."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
        connected: list[SMTP] = []
        waiting = list(faults)

        class Post:
            """What the server does with a message."""

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

        def admit(_: SMTP, __: Session, ___: Envelope, ____: str, said: object) -> AuthResult:
            is_right = isinstance(said, LoginPassword) and said == LoginPassword(b"recallwatch", b"s3cret-password")
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
            for each in connected:
                if isinstance(each.transport, asyncio.Transport):
                    each.transport.abort()
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
    """A message as RFC 5322 has it, with the headers that a thread needs."""
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    for name in ("From", "To", "Date", "Message-ID", "Subject", "References", "In-Reply-To"):
        assert len(message.get_all(name, [])) == 1, f"{name} must be there once"
    assert max(map(len, content.splitlines())) <= 998
    return Received(str(message["References"]), "[RESOLVED]" in message["Subject"], message)


SERVICES: dict[str, Service] = {
    "webhook": HttpService({"kind": "webhook", "secret": SIGNING}, read_webhook, (SIGNING.removeprefix("whsec_"),)),
    "slack": HttpService({"kind": "slack"}, read_slack, ("s3cret-path",), reply(200, b"ok")),
    "slack bot": HttpService(
        {"kind": "slack", "token": "xoxb-s3cret-token", "channel": "C0123456789"},
        read_slack_bot,
        ("s3cret-token",),
        reply(200, {"ok": True, "ts": "1.2"}),
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

"""E-mail over SMTP, as plain text and as HTML with a forest plot, one thread per incident."""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from monitor.adapters.notifiers.html import to_html
from monitor.adapters.notifiers.message import plain_text, render
from monitor.adapters.notifiers.texts import one_line
from monitor.adapters.secret import read_optional
from monitor.config.config import Duration, Section
from monitor.errors import NotifierError, Reason
from monitor.model.alerts import Alert

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_UNAUTHORISED = {530, 534, 535, 538}
_SHUTTING_DOWN = 421
_LONGEST_LINE = 998
"""The limit of RFC 5322 for a line."""

FAILURES = (smtplib.SMTPException, MessageError, OSError, ValueError)
"""Every exception that sending can raise."""


def check_mailbox(address: str) -> str:
    """The address, if it is a valid mailbox. Raises ValueError if not."""
    name, _, domain = address.rpartition("@")
    if not name or not domain or not address.isascii() or not address.isprintable() or set(address) & set(' ,;<>"'):
        raise ValueError("is not an address such as on-call@example.org")
    return address


Mailbox = Annotated[str, AfterValidator(check_mailbox)]


class EmailOptions(Section):
    """The mail server, sender and recipients."""

    host: Annotated[str, Field(min_length=1)]
    """The SMTP server for outgoing mail."""
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """Its port; by default 587 for ``starttls``, 465 for ``tls`` and 25 for ``none``."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """Encryption: ``starttls`` after connecting, ``tls`` from the first byte, or ``none``. Certificates are checked."""
    ca_file: Path | None = None
    """Trusted certificates besides those of the system; needed for a private authority."""
    user: str | None = None
    """User name for signing in; without it, mail is sent unauthenticated."""
    password: SecretStr | None = Field(default=None, repr=False)
    """Use ``${ENV}``; needs encryption."""
    password_file: Path | None = None
    """A file with the password, instead of ``password``."""
    sender: Mailbox
    """The sender's address."""
    recipients: Annotated[tuple[Mailbox, ...], Field(min_length=1)]
    """The recipients' addresses."""
    timeout: Duration = 20.0
    """For a whole delivery; a slower one is aborted and retried later."""

    @model_validator(mode="after")
    def _signs_in_safely(self) -> EmailOptions:
        password = read_optional(self, "password")
        if (password is None) != (self.user is None):
            raise ValueError("signing in needs both user and password (or password_file)")
        if password is not None and self.security == "none":
            raise ValueError("a password is sent only with security starttls or tls")
        self.context()
        return self

    def context(self) -> ssl.SSLContext:
        """The TLS context. Raises ValueError if the trusted certificates cannot be read."""
        context = ssl.create_default_context()
        try:
            if self.ca_file is not None:
                context.load_verify_locations(self.ca_file)
        except OSError as error:  # a file without certificates raises OSError, too
            raise ValueError(f"ca_file: {self.ca_file}: {error.strerror or 'holds no certificate'}") from error
        return context


class EmailNotifier:
    """Sends alerts as e-mails."""

    Options = EmailOptions

    def __init__(self, options: EmailOptions) -> None:
        self._options = options
        self._password = read_optional(options, "password")
        self._context = options.context()
        # Own threads: an unresponsive server must not occupy the shared ones, which also resolve host names.
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="email")

    async def notify(self, alert: Alert) -> None:
        """Send one message; returns once the server accepted it for every recipient.

        If any recipient is refused, the delivery fails; the retry reaches the others again with the same Message-ID.
        """
        try:
            async with asyncio.timeout(self._options.timeout):
                message = write(alert, self._options)
                refused = await asyncio.get_running_loop().run_in_executor(self._threads, self._send, message)
        except FAILURES as error:
            raise _explain(error, self._options.timeout) from error
        if refused:
            raise _refusal(refused.values())

    async def close(self) -> None:
        """Release the threads; a delivery in progress finishes on its own."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
        """The refused recipients with the server's replies; smtplib raises if all were refused."""
        with self._connected() as server:
            if self._options.security == "starttls":
                server.starttls(context=self._context)
            if self._options.user is not None and self._password is not None:
                server.login(self._options.user, self._password)
            return server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        host, timeout = self._options.host, self._options.timeout
        port = self._options.port or _PORTS[self._options.security]
        if self._options.security == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=timeout, context=self._context)
        return smtplib.SMTP(host, port, timeout=timeout)


def write(alert: Alert, options: EmailOptions) -> EmailMessage:
    """The message. All messages of an incident refer to the same thread id, so that clients group them."""
    rendered = render(alert)
    domain = options.sender.rpartition("@")[2]
    thread = f"<{_identify(alert.incident_id)}@{domain}>"
    # Python moves an ASCII subject of 70 to 78 characters to a line of its own: it would begin with a space.
    whole_lines = policy.default.clone(max_line_length=_LONGEST_LINE)
    message = EmailMessage(whole_lines if rendered.subject.isascii() else policy.default)
    message["Subject"] = rendered.subject
    message["From"] = options.sender
    message["To"] = ", ".join(options.recipients)
    message["Date"] = format_datetime(alert.created_at)
    message["Message-ID"] = f"<{_identify(alert.alert_id)}@{domain}>"
    message["In-Reply-To"] = thread
    message["References"] = thread
    message["Auto-Submitted"] = "auto-generated"  # prevents out-of-office replies (RFC 3834)
    message["X-Recallwatch-State"] = rendered.state
    message["X-Recallwatch-Dedup-Key"] = one_line(alert.dedup_key, 200)
    message.set_content(plain_text(rendered))
    message.add_alternative(to_html(rendered), subtype="html")
    return message


def _identify(name: str) -> str:
    """The name, or its digest if it is not safe in a message id."""
    if name and len(name) <= 120 and name.isascii() and name.replace("_", "").replace("-", "").isalnum():
        return name
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def _explain(error: BaseException, timeout_s: float) -> NotifierError:
    """The failure in a few words, without the server's text, which could repeat secrets."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _refusal(error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return _refusal([(error.smtp_code, b"")])
    # smtplib reports a timeout as a closed connection.
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return NotifierError(Reason.TIMEOUT, f"no response within {timeout_s:g} s")
    if isinstance(error, smtplib.SMTPServerDisconnected | ConnectionResetError | BrokenPipeError):
        return NotifierError(Reason.BROKEN, f"the connection was closed: {type(error).__name__}")
    if isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException):
        return NotifierError(Reason.UNREACHABLE, f"connection failed: {type(error).__name__}")
    return NotifierError(Reason.REJECTED, f"message or login not supported: {type(error).__name__}")


def _refusal(answers: Iterable[tuple[int, bytes]]) -> NotifierError:
    """The error for these reply codes; one temporary code makes a retry worthwhile."""
    codes = sorted({code for code, _ in answers})
    code = codes[0]
    if code in _UNAUTHORISED:
        reason = Reason.UNAUTHORISED
    elif code >= 500:
        reason = Reason.REJECTED
    else:
        # A reply that is not a code (-1) comes from a server that does not speak SMTP.
        reason = Reason.RATE_LIMITED if 400 <= code != _SHUTTING_DOWN else Reason.BROKEN
    return NotifierError(reason, f"SMTP {', '.join(map(str, codes))}")

"""HTTP for every adapter that speaks it: httpx's API on aiohttp's connection pool, and what its failures mean.

aiohttp's pool carries sixteen times the probes of httpx's own (`benchmarks/`).
"""

from __future__ import annotations

import ipaddress
import socket
from base64 import b64encode
from collections.abc import Collection, Iterator
from typing import Annotated

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import AfterValidator

from monitor.errors import Reason


def check_url(url: str) -> str:
    """The URL, if it can be asked. Raises ValueError if not."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError("is not a URL such as https://host/path")
    return url


Url = Annotated[str, AfterValidator(check_url)]

FAILURES = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,  # httpx has four roots
    aiohttp.ClientError,
    OSError,
    ValueError,  # what both raise for a URL or header that cannot be sent
)
"""Everything that a request can raise."""

_BROKEN_OFF = (httpx.RemoteProtocolError, httpx.DecodingError, httpx.ReadError, httpx.WriteError, httpx.StreamError)
_CUT = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError, ConnectionResetError)


class LinkLocalError(OSError):
    """A name leads to an address where clouds keep their metadata and credentials."""


class WaryResolver(aiohttp.ThreadedResolver):
    """Refuses a name that leads to a link-local address, unless the name is listed.

    Whoever writes a host or an address into the configuration means it, loopback and private networks included. What
    they cannot see is that a name was pointed at 169.254.0.0/16 or fe80::/10, where clouds answer with credentials.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        super().__init__()
        self._allowed = {host.lower().rstrip(".") for host in allowed}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """The addresses of a name."""
        found = await super().resolve(host, port, family)
        if host.lower().rstrip(".") not in self._allowed and any(is_link_local(each["host"]) for each in found):
            raise LinkLocalError(f"{host} leads to a link-local address")
        return found


def is_link_local(address: str) -> bool:
    """Whether an address is of 169.254.0.0/16 or fe80::/10, also when written as an IPv4 address within IPv6."""
    parsed = ipaddress.ip_address(address)
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_link_local


def open_client(
    *,
    timeout_s: float,
    connections: int,
    headers: dict[str, str] | None = None,
    allow_private_hosts: Collection[str] | None = None,
) -> httpx.AsyncClient:
    """A client that never follows a redirect: it could lead to where nobody meant to send anything.

    Given ``allow_private_hosts``, names resolve through a `WaryResolver`.
    """

    def session() -> aiohttp.ClientSession:
        resolver = None if allow_private_hosts is None else WaryResolver(allow_private_hosts)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections, resolver=resolver))

    return httpx.AsyncClient(
        transport=AiohttpTransport(client=session),
        headers={"content-type": "application/json", "user-agent": "recallwatch", **(headers or {})},
        timeout=timeout_s,
        follow_redirects=False,
    )


def split_credentials(url: str) -> tuple[httpx.URL, dict[str, str]]:
    """The URL without user and password, and the header that carries them; aiohttp takes them one way only."""
    parsed = httpx.URL(url)
    if not parsed.userinfo:
        return parsed, {}
    encoded = b64encode(f"{parsed.username}:{parsed.password}".encode()).decode()
    return parsed.copy_with(userinfo=b""), {"authorization": f"Basic {encoded}"}


def reason_of(error: BaseException) -> Reason:
    """What a failed request says about the other side.

    The transport calls every lost connection a timeout, so the error it stems from is asked first.
    """
    origin = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    if isinstance(origin, TimeoutError | httpx.TimeoutException):
        return Reason.TIMEOUT
    return Reason.BROKEN if isinstance(origin, _BROKEN_OFF + _CUT) else Reason.UNREACHABLE


def describe(error: BaseException, *, timeout_s: float) -> str:
    """The failure in a few words. The error's own text is left out: it can carry a URL with credentials in it."""
    kind = type(error.__cause__ or error).__name__
    if any(isinstance(each, LinkLocalError) for each in _causes(error)):
        return "the host leads to a link-local address; if that is meant, list it in allow_private_hosts"
    return {
        Reason.TIMEOUT: f"no answer within {timeout_s:g} s",
        Reason.BROKEN: f"the answer broke off: {kind}",
    }.get(reason_of(error), f"no connection: {kind}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def reason_of_status(status: int) -> Reason | None:
    """What a status says; None for success."""
    if 200 <= status < 300:
        return None
    known = {
        401: Reason.UNAUTHORISED,
        403: Reason.UNAUTHORISED,
        408: Reason.TIMEOUT,
        429: Reason.RATE_LIMITED,
        504: Reason.TIMEOUT,
    }
    return known.get(status, Reason.BROKEN if status >= 500 else Reason.REJECTED)


def retry_after_s(response: httpx.Response) -> float | None:
    """How long the other side asks to be left alone, in seconds, if it says so in seconds."""
    stated = response.headers.get("retry-after", "")
    return float(stated) if stated.isascii() and stated.isdigit() else None

"""HTTP for every adapter that speaks it: httpx's API on aiohttp's connection pool, and what its failures mean.

httpx's own pool, and what it does around each request, cost many times what a probe does (`benchmarks/`).
"""

from __future__ import annotations

import ipaddress
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Collection, Iterator
from typing import Annotated, Any

import aiohttp
import httpx
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

_PART_BYTES = 16_384
"""A packed body is unpacked in parts of this size, so that a bomb is noticed before it has gone off."""
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


class Client(httpx.AsyncClient):
    """httpx's client, which hands each request to its pool as it is: it follows nothing and keeps no cookie."""

    async def send(self, request: httpx.Request, *, stream: bool = False, **_: Any) -> httpx.Response:
        """The answer to a request, its body still to be read if it is to be streamed."""
        response = await self._transport.handle_async_request(request)
        if not stream:
            await response.aread()
        return response


class Pool(httpx.AsyncBaseTransport):
    """aiohttp's connections under httpx."""

    headers: httpx.Headers = httpx.Headers()
    """Sent with every request, unless it has its own of the same name."""

    def __init__(self, connections: int, allowed: Collection[str] | None) -> None:
        self._connections, self._allowed = connections, allowed
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; what aiohttp says went wrong is raised as httpx's, with aiohttp's as its cause."""
        try:
            answer = await self._open().request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=_timeout(request.extensions.get("timeout")),
            )
        except aiohttp.ClientError as error:
            raise _as_httpx(error) from error
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=Body(answer), request=request)

    async def aclose(self) -> None:
        """Give back the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # not before there is a loop
            resolver = None if self._allowed is None else WaryResolver(self._allowed)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, resolver=resolver),
                headers=self.headers.multi_items(),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_FOREVER,
            )
        return self._session


class Body(httpx.AsyncByteStream):
    """The body of an answer, as it comes over the wire."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The parts of the body, each no longer than can safely be unpacked."""
        try:
            async for part in self._answer.content.iter_chunked(_PART_BYTES):
                yield part
        except aiohttp.ClientError as error:
            raise _as_httpx(error) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it if there is something left to read."""
        self._answer.release()


_FOREVER = aiohttp.ClientTimeout(total=None)


def _timeout(stated: dict[str, float] | None) -> aiohttp.ClientTimeout:
    if stated is None:  # whoever asks has a clock of their own
        return _FOREVER
    return aiohttp.ClientTimeout(None, connect=stated["pool"], sock_connect=stated["connect"], sock_read=stated["read"])


def _as_httpx(error: aiohttp.ClientError) -> httpx.TransportError:
    kind = httpx.ReadTimeout if isinstance(error, TimeoutError) else httpx.NetworkError
    return kind(type(error).__name__)


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
    pool = Pool(connections, allow_private_hosts)
    stated = {"content-type": "application/json", "user-agent": "recallwatch", **(headers or {})}
    client = Client(transport=pool, headers=stated, timeout=timeout_s)
    pool.headers = client.headers  # httpx's own among them: it accepts what it can unpack
    return client


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

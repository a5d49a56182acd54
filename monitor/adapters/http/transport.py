"""HTTP client of the adapters: httpx's API on aiohttp's connection pool, and the reason for each failure.

The overhead of httpx's own pool is many times the cost of a probe (`benchmarks/`).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, cast

import aiohttp
import httpx
from pydantic import AfterValidator

from monitor.adapters.http.addresses import GuardedResolver, Network, RefusedAddressError, check_host
from monitor.adapters.http.decompression import ACCEPTED
from monitor.adapters.http.response_body import Body, Reply, as_httpx
from monitor.errors import Reason


def check_url(url: str) -> str:
    """Return the URL. Raises ValueError if it is not an HTTP URL with a host."""
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
    ValueError,  # raised by both for an invalid URL or header
)
"""All exceptions that a request can raise."""

_BROKEN_OFF = (httpx.RemoteProtocolError, httpx.DecodingError, httpx.ReadError, httpx.WriteError, httpx.StreamError)
_CUT = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError, ConnectionResetError)


class Client(httpx.AsyncClient):
    """httpx client that passes each request directly to the pool: no redirects, no cookies."""

    async def request_once(
        self, method: str, url: httpx.URL, headers: Iterable[tuple[str, str]], content: bytes
    ) -> Reply:  # fmt: skip
        """Send a request without httpx's own request and response; the body is not read yet."""
        pool = cast("Pool", self._transport)
        return Reply(await pool.request(method, url, headers, content))

    async def send(self, request: httpx.Request, *, stream: bool = False, **_: Any) -> httpx.Response:
        """Send a request; the body is read unless ``stream``."""
        response = await self._transport.handle_async_request(request)
        if not stream:
            await response.aread()
        return response


class Pool(httpx.AsyncBaseTransport):
    """httpx transport on aiohttp's connection pool."""

    headers: httpx.Headers = httpx.Headers()
    """Sent with every request; headers of the request take precedence."""

    def __init__(self, connections: int, private: Sequence[Network] | None) -> None:
        self._connections, self._private = connections, private
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. An aiohttp error is raised as an httpx error, with the original as its cause."""
        headers, content = request.headers.multi_items(), await request.aread()
        limits = _timeout(request.extensions.get("timeout"))
        answer = await self.request(request.method, request.url, headers, content, limits)
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=Body(answer), request=request)

    async def request(
        self,
        method: str,
        url: httpx.URL,
        headers: Iterable[tuple[str, str]],
        content: bytes,
        limits: aiohttp.ClientTimeout | None = None,
    ) -> aiohttp.ClientResponse:
        """The response to a request; its body is not read yet."""
        check_host(url.host, self._private)
        try:
            return await self._open().request(
                method,
                str(url),
                headers=headers,
                data=content or None,
                allow_redirects=False,
                timeout=limits or _FOREVER,
            )
        except aiohttp.ClientError as error:
            raise as_httpx(error) from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # needs a running event loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, resolver=GuardedResolver(self._private)),
                headers=self.headers.multi_items(),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_FOREVER,
            )
        return self._session


_A_DAY_S, _MOST_DIGITS = 86_400.0, 9
_FOREVER = aiohttp.ClientTimeout(total=None)


def _timeout(limits: dict[str, float] | None) -> aiohttp.ClientTimeout:
    if limits is None:  # the caller applies its own timeout
        return _FOREVER
    return aiohttp.ClientTimeout(None, connect=limits["pool"], sock_connect=limits["connect"], sock_read=limits["read"])


def open_client(
    *,
    timeout_s: float,
    connections: int,
    headers: dict[str, str] | None = None,
    private: Sequence[Network] | None = None,
) -> httpx.AsyncClient:
    """Create a client that follows no redirects, which could lead to an unintended host.

    ``private`` has the loopback and private networks that an address from elsewhere may be in; None for an address that
    an operator chose.
    """
    pool = Pool(connections, private)
    default_headers = {"content-type": "application/json", "user-agent": "recallwatch", "accept-encoding": ACCEPTED}
    client = Client(transport=pool, headers=default_headers | (headers or {}), timeout=timeout_s)
    pool.headers = client.headers
    return client


def split_credentials(url: str) -> tuple[httpx.URL, dict[str, str]]:
    """Split a URL into the URL without user and password and the header that carries them."""
    parsed = httpx.URL(url)
    if not parsed.userinfo:
        return parsed, {}
    encoded = b64encode(f"{parsed.username}:{parsed.password}".encode()).decode()
    return parsed.copy_with(userinfo=b""), {"authorization": f"Basic {encoded}"}


def reason_of(error: BaseException) -> Reason:
    """Return the reason for a failed request.

    The transport raises every lost connection as a timeout, so the cause is checked first.
    """
    origin = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    if isinstance(origin, TimeoutError | httpx.TimeoutException):
        return Reason.TIMEOUT
    return Reason.BROKEN if isinstance(origin, _BROKEN_OFF + _CUT) else Reason.UNREACHABLE


def describe(error: BaseException, *, timeout_s: float) -> str:
    """Describe the failure briefly, without the error's own text: it may include a URL with credentials."""
    kind = type(error.__cause__ or error).__name__
    refusal = next((each for each in _causes(error) if isinstance(each, RefusedAddressError)), None)
    if refusal is not None:
        return f"not sent: {refusal}"
    return {
        Reason.TIMEOUT: f"no answer within {timeout_s:g} s",
        Reason.BROKEN: f"the response was cut off: {kind}",
    }.get(reason_of(error), f"no connection: {kind}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def reason_of_status(status: int) -> Reason | None:
    """Return the reason for an HTTP status; None for success."""
    if 200 <= status < 300:
        return None
    reasons = {
        401: Reason.UNAUTHORISED,
        403: Reason.UNAUTHORISED,
        408: Reason.TIMEOUT,
        429: Reason.RATE_LIMITED,
        504: Reason.TIMEOUT,
    }
    return reasons.get(status, Reason.BROKEN if status >= 500 else Reason.REJECTED)


def retry_after_s(response: httpx.Response | Reply) -> float | None:
    """Return the Retry-After header in seconds, at most a day; None if it is missing, unreadable or over."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:_MOST_DIGITS]), _A_DAY_S) or None
    try:
        delay_s = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):  # not a date, or one without a time zone
        return None
    return min(delay_s, _A_DAY_S) if delay_s > 0 else None

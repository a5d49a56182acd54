"""One JSON request over HTTP with a time limit and a size limit.

Every failure is an `AdapterError` with a reason. Its text never includes the response body: error pages often echo the
request, including credentials.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

import httpx
import orjson

from monitor.adapters.http import transport
from monitor.adapters.http.decompression import UnreadableBodyError, decoder_of
from monitor.adapters.http.response_body import Reply
from monitor.errors import AdapterError, Reason, RetrieverError

Explain = Callable[[int, bytes], str | None]
"""Returns a hint for a failed status and the beginning of its body, or None."""

ErrorFactory = Callable[..., AdapterError]
"""Creates an error from a reason, a detail and optionally ``retry_after_s``; an error class is one."""

MAX_BODY_BYTES = 4_194_304
"""Default limit for the size of a response."""
PROBE_HEADER = {"x-recallwatch-probe": "1"}
"""Marks probes, so that the target can exclude them from its own analytics."""
_EXCERPT_BYTES = 4_096
_LARGE = 262_144
"""Bytes. A larger body is parsed in a thread."""


async def request_json(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL | str,
    body: Any = None,
    *,
    timeout_s: float,
    max_body_bytes: int = MAX_BODY_BYTES,
    headers: Mapping[str, str] | None = None,
    explain: Explain | None = None,
    failure: ErrorFactory = RetrieverError,
    read_headers: Callable[[Mapping[str, str]], None] | None = None,
) -> Any:
    """Send a request and return the parsed JSON response. Raises only errors made by ``failure``."""
    content = await request_bytes(
        client,
        method,
        url,
        body,
        timeout_s=timeout_s,
        max_body_bytes=max_body_bytes,
        headers=headers,
        explain=explain,
        failure=failure,
        read_headers=read_headers,
    )
    try:
        return await asyncio.to_thread(orjson.loads, content) if len(content) > _LARGE else orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise failure(Reason.MALFORMED, "the response is not JSON") from error


async def request_bytes(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL | str,
    body: Any = None,
    *,
    timeout_s: float,
    max_body_bytes: int = MAX_BODY_BYTES,
    headers: Mapping[str, str] | None = None,
    explain: Explain | None = None,
    failure: ErrorFactory = RetrieverError,
    read_headers: Callable[[Mapping[str, str]], None] | None = None,
) -> bytes:
    """Send a request and return the response body, which may be empty. A request body of None is not sent."""
    content = b"" if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    try:
        async with asyncio.timeout(timeout_s), aclosing(await _send(client, method, url, headers, content)) as response:
            reason = transport.reason_of_status(response.status_code)
            if reason is None:
                if read_headers is not None:
                    read_headers({name.lower(): value for name, value in response.headers.items()})
                return await _read_body(response, max_body_bytes, failure)
            excerpt = await _read_excerpt(response) if explain else b""
    except transport.FAILURES as error:
        raise failure(transport.reason_of(error), transport.describe(error, timeout_s=timeout_s)) from error
    hint = (explain and explain(response.status_code, excerpt)) or _hint(response.status_code, reason)
    retry_after_s = transport.retry_after_s(response)
    raise failure(reason, f"HTTP {response.status_code}" + (f": {hint}" if hint else ""), retry_after_s=retry_after_s)


async def _send(
    client: httpx.AsyncClient, method: str, url: httpx.URL | str, headers: Mapping[str, str] | None, content: bytes
) -> httpx.Response | Reply:
    if isinstance(client, transport.Client):
        parsed = url if isinstance(url, httpx.URL) else httpx.URL(url)
        return await client.request_once(method, parsed, tuple((headers or {}).items()), content)
    # Built here because the client would merge all headers for each request; the pool adds them once.
    request = httpx.Request(method, url, headers=headers, stream=httpx.ByteStream(content))
    return await client.send(request, stream=True)


def _hint(status: int, reason: Reason) -> str:
    if reason is Reason.UNAUTHORISED:
        return "check the credentials"
    return "redirects are not followed; configure the final URL" if 300 <= status < 400 else ""


async def _read_body(response: httpx.Response | Reply, limit: int, failure: ErrorFactory) -> bytes:
    """Read and decompress the body. The limit applies to decompressed bytes, which stops decompression bombs."""
    parts, size = [], 0
    try:
        decoder = decoder_of(response.headers.get("content-encoding", ""))
        async for part in response.aiter_raw():
            parts.append(decoder.decode(part, limit - size + 1))
            size += len(parts[-1])
            if size > limit:
                raise failure(Reason.MALFORMED, f"the response is larger than {limit} bytes (max_body_bytes)")
        decoder.finish()
    except UnreadableBodyError as error:
        raise failure(Reason.BROKEN, str(error)) from error
    return b"".join(parts)


async def _read_excerpt(response: httpx.Response | Reply) -> bytes:
    excerpt = b""
    with suppress(UnreadableBodyError):
        decoder = decoder_of(response.headers.get("content-encoding", ""))
        async for part in response.aiter_raw():
            excerpt += decoder.decode(part, _EXCERPT_BYTES - len(excerpt))
            if len(excerpt) >= _EXCERPT_BYTES:
                break
    return excerpt

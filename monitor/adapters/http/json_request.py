"""One JSON request over HTTP and its answer, bounded; every adapter that speaks JSON to a retriever asks through it.

Whatever goes wrong is an `AdapterError` with a reason. What the other side wrote is never repeated in it: error pages
like to echo the request, credentials included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import httpx
import orjson

from monitor.adapters.http import transport
from monitor.errors import AdapterError, Reason, RetrieverError

Explain = Callable[[int, bytes], str | None]
"""What a status and the beginning of its body mean, in our own words; None where there is nothing to add."""

Failed = Callable[..., AdapterError]
"""What makes an error of a reason and a detail, and perhaps ``retry_after_s``; the class of the error itself does."""

MAX_BODY_BYTES = 4_194_304
"""The longest answer that is read where nothing else is said."""
PROBE_HEADER = {"x-recallwatch-probe": "1"}
"""Marks probes, so that the target can leave them out of its own analytics."""
_SAID_BYTES = 4_096


async def ask(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL | str,
    body: Any = None,
    *,
    timeout_s: float,
    max_body_bytes: int = MAX_BODY_BYTES,
    headers: Mapping[str, str] | None = None,
    explain: Explain | None = None,
    failed: Failed = RetrieverError,
) -> Any:
    """The answer to one request, parsed. Raises what ``failed`` makes and nothing else."""
    content = await send(
        client,
        method,
        url,
        body,
        timeout_s=timeout_s,
        max_body_bytes=max_body_bytes,
        headers=headers,
        explain=explain,
        failed=failed,
    )
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise failed(Reason.MALFORMED, "the answer is not JSON") from error


async def send(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL | str,
    body: Any = None,
    *,
    timeout_s: float,
    max_body_bytes: int = MAX_BODY_BYTES,
    headers: Mapping[str, str] | None = None,
    explain: Explain | None = None,
    failed: Failed = RetrieverError,
) -> bytes:
    """The body of the answer to one request, which may be empty. A body of None is not sent."""
    content = b"" if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    try:
        # Not built by the client, which would merge all headers anew for each; the pool has them.
        request = httpx.Request(method, url, headers=headers, stream=httpx.ByteStream(content))
        async with asyncio.timeout(timeout_s), aclosing(await client.send(request, stream=True)) as response:
            reason = transport.reason_of_status(response.status_code)
            if reason is None:
                return await _read(response, max_body_bytes, failed)
            said = await _beginning(response) if explain else b""
    except transport.FAILURES as error:
        raise failed(transport.reason_of(error), transport.describe(error, timeout_s=timeout_s)) from error
    hint = (explain and explain(response.status_code, said)) or _hint(response.status_code, reason)
    retry_after_s = transport.retry_after_s(response)
    raise failed(reason, f"HTTP {response.status_code}" + (f": {hint}" if hint else ""), retry_after_s=retry_after_s)


def _hint(status: int, reason: Reason) -> str:
    if reason is Reason.UNAUTHORISED:
        return "check the credentials"
    return "redirects are not followed; give the address it leads to" if 300 <= status < 400 else ""


async def _read(response: httpx.Response, limit: int, failed: Failed) -> bytes:
    """The body, unpacked; unpacked bytes are what is counted, so that a small body cannot become a huge one."""
    parts, size = [], 0
    is_packed = "content-encoding" in response.headers
    async for part in response.aiter_bytes() if is_packed else response.aiter_raw():
        size += len(part)
        if size > limit:
            raise failed(Reason.MALFORMED, f"the answer is larger than {limit} bytes (max_body_bytes)")
        parts.append(part)
    return b"".join(parts)


async def _beginning(response: httpx.Response) -> bytes:
    said = b""
    async for part in response.aiter_bytes():
        said += part
        if len(said) >= _SAID_BYTES:
            break
    return said[:_SAID_BYTES]

"""Responses of aiohttp's pool as adapters read them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import httpx

_PART_BYTES = 16_384
"""A compressed body is decompressed in parts of this size, so that a decompression bomb is detected early."""


def as_httpx(error: aiohttp.ClientError) -> httpx.TransportError:
    """The error as one of httpx; the caller raises it with the original as its cause."""
    kind = httpx.ReadTimeout if isinstance(error, TimeoutError) else httpx.NetworkError
    return kind(type(error).__name__)


class Body(httpx.AsyncByteStream):
    """The response body as received, not decompressed."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in parts that are small enough to decompress safely."""
        try:
            async for part in self._answer.content.iter_chunked(_PART_BYTES):
                yield part
        except aiohttp.ClientError as error:
            raise as_httpx(error) from error

    async def aclose(self) -> None:
        """Release the connection, or close it if the body was not read to its end."""
        self._answer.release()


class Reply:
    """The response to a request, as far as adapters read it; an `httpx.Response` costs as much as the request."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._body = Body(answer)
        self.status_code, self.headers = answer.status, answer.headers

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body as received, in parts."""
        return self._body.__aiter__()

    async def aclose(self) -> None:
        """Release the connection, or close it if the body was not read to its end."""
        await self._body.aclose()

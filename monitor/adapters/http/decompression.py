"""Decompress a response body without exceeding a number of bytes, whatever the compression ratio."""

from __future__ import annotations

import zlib
from typing import Protocol

ACCEPTED = "gzip, deflate"
"""Value of the request header Accept-Encoding; other codings have no bound on a single step of decompression."""
_GZIP = 16 + zlib.MAX_WBITS


class UnreadableBodyError(Exception):
    """The body does not have the announced content coding, or one that is not supported."""


class Decoder(Protocol):
    """Turns received parts into the body."""

    def decode(self, part: bytes, limit: int) -> bytes:
        """At most ``limit`` bytes of the body. Raises UnreadableBodyError."""
        ...

    def finish(self) -> None:
        """Raise UnreadableBodyError if the body ended within its coding."""
        ...


def decoder_of(content_encoding: str) -> Decoder:
    """The decoder of a Content-Encoding. Raises UnreadableBodyError for an unknown or a repeated coding."""
    coding = content_encoding.strip().lower()
    if coding in ("", "identity"):
        return Identity()
    if coding in ("gzip", "x-gzip"):
        return Inflate(_GZIP)
    if coding == "deflate":
        return Inflate(zlib.MAX_WBITS)
    raise UnreadableBodyError(f"the content coding {coding[:40]!r} is not supported")


class Identity:
    """A body without a coding."""

    def decode(self, part: bytes, limit: int) -> bytes:
        """The first ``limit`` bytes of the part."""
        return part[:limit]

    def finish(self) -> None:
        """A body without a coding may end anywhere."""


class Inflate:
    """gzip with one or more members, or deflate with or without the header of zlib."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._inflater = zlib.decompressobj(window_bits)
        self._is_first = True

    def decode(self, part: bytes, limit: int) -> bytes:
        """At most ``limit`` bytes; a decompression bomb is cut here, not in memory."""
        if self._is_first and part:
            self._is_first = False
            if self._window_bits == zlib.MAX_WBITS and part[0] & 0x0F != zlib.DEFLATED:
                self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        body = b""
        try:
            while part and len(body) < limit:
                body += self._inflater.decompress(part, limit - len(body))
                part = self._inflater.unconsumed_tail or self._next_member()
        except zlib.error as error:
            raise UnreadableBodyError("the body does not have the announced content coding") from error
        return body

    def finish(self) -> None:
        """Raise UnreadableBodyError if the final member is incomplete."""
        if not self._is_first and not self._inflater.eof:
            raise UnreadableBodyError("the compressed body is incomplete")

    def _next_member(self) -> bytes:
        """The bytes of a further member of gzip; other bytes behind the end are ignored."""
        rest = self._inflater.unused_data
        if self._window_bits != _GZIP or not rest.startswith(b"\x1f\x8b"):
            return b""
        self._inflater = zlib.decompressobj(self._window_bits)
        return rest

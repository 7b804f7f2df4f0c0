"""Compressed request bodies: `Content-Encoding: gzip` or `deflate`, within the size limits of uncompressed ones.

Segment's libraries for Android and Kotlin always compress. A few bytes can expand to gigabytes, so at most the call's
limit plus one byte is decompressed.
"""

import zlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from plaudit.errors import Invalid, TooLarge, UnsupportedMedia

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_PIECE_BYTES = 1 << 18
_NAMES = ("gzip", "x-gzip", "deflate")


def decompressed(raw: bytes, encoding: str | None, limit: int) -> bytes:
    """Return a body, decompressed.

    Raise TooLarge if it has more than `limit` bytes, Invalid if it is damaged, and UnsupportedMedia for other
    encodings.
    """
    name = _name_of(encoding)
    if name is None or not raw:
        return raw
    body = bytearray()
    for piece in _Pieces(name).of(raw, last=True):
        body += piece
        if len(body) > limit:
            raise TooLarge(f"The body is too large: at most {limit:,} bytes (got more when decompressed)")
    return bytes(body)


def decompressed_stream(parts: AsyncGenerator[bytes], encoding: str | None) -> AsyncGenerator[bytes]:
    """Return a streamed body, decompressed, in pieces of bounded size.

    Raise UnsupportedMedia immediately, and Invalid when the damaged part is reached.
    """
    name = _name_of(encoding)
    return parts if name is None else _inflated(parts, name)


async def _inflated(parts: AsyncGenerator[bytes], name: str) -> AsyncGenerator[bytes]:
    pieces = _Pieces(name)
    async for part in parts:
        for piece in pieces.of(part):
            yield piece
    for piece in pieces.of(b"", last=True):
        yield piece


def _name_of(encoding: str | None) -> str | None:
    name = (encoding or "").strip().lower()
    if name in ("", "identity"):
        return None
    if name not in _NAMES:
        raise UnsupportedMedia(
            f"Content-Encoding must be gzip, deflate or identity (got {name[:64]})", code="unsupported_encoding"
        )
    return name


class _Pieces:
    """A body during decompression. A gzip body may have several members (RFC 1952, 2.2)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inflating: Any = None  # the decompressor of the current gzip member or zlib stream

    def of(self, part: bytes, *, last: bool = False) -> Iterator[bytes]:
        """Yield a part of the body, decompressed, in pieces. Raise Invalid if it cannot be decompressed."""
        rest = part
        try:
            while rest:
                if self._inflating is None:
                    self._inflating = zlib.decompressobj(self._window(rest))
                yield self._inflating.decompress(rest, _PIECE_BYTES)
                rest = self._inflating.unconsumed_tail
                if self._inflating.eof:
                    rest, self._inflating = self._inflating.unused_data, None
            if last and self._inflating is not None:
                yield self._inflating.flush()  # the rest, if the last piece filled up when the input ended
        except zlib.error:
            raise Invalid(f"The body is not {self._name}, as Content-Encoding says", code="bad_encoding") from None
        if last and self._inflating is not None and not self._inflating.eof:
            raise Invalid(f"The body breaks off within its {self._name}", code="bad_encoding")

    def _window(self, begin: bytes) -> int:
        """Return zlib's `wbits`. `deflate` means the zlib format (RFC 9110, 8.4.1.2), but many clients send raw deflate."""
        if self._name != "deflate":
            return _GZIP
        return _ZLIB if begin[0] & 0x0F == zlib.DEFLATED and (len(begin) < 2 or _is_zlib(begin)) else _RAW


def _is_zlib(begin: bytes) -> bool:
    return (begin[0] << 8 | begin[1]) % 31 == 0

"""Split a streamed file into lines of UTF-8, in constant memory, whatever its encoding and line ends.

    bytes ──encoding──► UTF-8 ──line ends──► lines

UTF-8 is not converted. UTF-16 is recognised by its byte order mark, which spreadsheets write. A file that is not text
(a workbook, an archive) is refused before any of it is imported.
"""

import codecs
from collections.abc import AsyncGenerator, AsyncIterable

from plaudit.errors import Invalid

LINE_BYTES_MAX = 1 << 20
EXPORTED_LINE_BYTES_MAX = 16 << 20  # of an export: one line has all data of a member, which arrived in many requests
_HEAD_BYTES = 4  # the length of the longest mark
_NO_TEXT = {
    b"PK\x03\x04": "is an Excel workbook or an archive",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook",
    b"\x1f\x8b": "is compressed",
    b"\xff\xfe\x00\x00": "is UTF-32",
    b"\x00\x00\xfe\xff": "is UTF-32",
}

TextLine = bytes | None  # None for a line that is too long


class _Encoding:
    """A decoder of a file's parts to UTF-8 without a byte order mark."""

    def __init__(self) -> None:
        self._head: bytes | None = b""  # the bytes received before the encoding is known
        self._utf16: codecs.IncrementalDecoder | None = None

    def text_of(self, part: bytes, *, final: bool = False) -> bytes:
        """Return the next bytes as UTF-8. Raise Invalid for a file that is not text."""
        if self._head is not None:
            part = self._head + part
            if len(part) < _HEAD_BYTES and not final:
                self._head = part
                return b""
            self._head = None
            part = self._start(part)
        if self._utf16 is None:
            return part
        try:
            return self._utf16.decode(part, final).encode()
        except UnicodeError:
            raise Invalid("The file begins as UTF-16 but is not; save it as UTF-8", code="bad_encoding") from None

    def _start(self, start: bytes) -> bytes:
        for mark, reason in _NO_TEXT.items():
            if start.startswith(mark):
                raise Invalid(f"The file {reason}; save it as CSV or NDJSON in UTF-8", code="bad_encoding")
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._utf16 = codecs.getincrementaldecoder("utf-16")()
        return start.removeprefix(codecs.BOM_UTF8)


def without_mark(raw: bytes) -> bytes:
    """Return a whole body as UTF-8 without a byte order mark. Raise Invalid if it is not text."""
    return _Encoding().text_of(raw, final=True)


async def lines_of(parts: AsyncIterable[bytes], line_bytes_max: int = LINE_BYTES_MAX) -> AsyncGenerator[list[TextLine]]:
    """Yield lists of a stream's lines, in UTF-8 and without their line ends.

    Lines end with a line feed, with or without a carriage return; in a file without line feeds, with a carriage return.
    A line longer than `line_bytes_max` is yielded as None.
    """
    encoding = _Encoding()
    rest, skipping = b"", False  # the incomplete last line; whether it is already too long
    returns: bool | None = None  # whether carriage returns alone end lines

    def split(text: bytes) -> list[TextLine]:
        nonlocal rest, skipping, returns
        if returns is None:
            text, rest = rest + text, b""
            if b"\n" in text or b"\r" in text[:-1]:
                returns = b"\n" not in text
        if returns:
            text = text.replace(b"\r", b"\n")
        pieces = text.split(b"\n")
        if len(pieces) == 1:  # the line continues
            rest = b"" if skipping else rest + text
            complete: list[TextLine] = []
        else:
            first: TextLine = None if skipping or len(rest) + len(pieces[0]) > line_bytes_max else rest + pieces[0]
            complete = [first, *(piece if len(piece) <= line_bytes_max else None for piece in pieces[1:-1])]
            rest, skipping = pieces[-1], False
        if len(rest) > line_bytes_max:
            rest, skipping = b"", True
        return [line.removesuffix(b"\r") if line is not None else None for line in complete]

    async for part in parts:
        if lines := split(encoding.text_of(part)):
            yield lines
    last = split(encoding.text_of(b"", final=True))
    if skipping:
        last.append(None)
    elif rest:
        last.append(rest.removesuffix(b"\r"))
    if last:
        yield last

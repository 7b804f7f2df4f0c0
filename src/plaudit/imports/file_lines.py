"""The lines of a file that is streamed in, in constant memory: encodings, byte order marks and line ends made alike.

    bytes ──encoding──► UTF-8 ──line ends──► lines

UTF-8 passes through as it is. UTF-16 is recognised by its byte order mark, as spreadsheets write it. A file that is no
text at all (a workbook, an archive) is refused before anything of it is taken in.
"""

import codecs
from collections.abc import AsyncGenerator, AsyncIterable

from plaudit.errors import Invalid

LINE_BYTES_MAX = 1 << 20
EXPORTED_LINE_BYTES_MAX = 16 << 20  # of an export: a line has all that was within the bounds when it came
_HEAD_BYTES = 4  # as many as the longest mark has
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
        self._head: bytes | None = b""  # what came before the encoding was known
        self._utf16: codecs.IncrementalDecoder | None = None

    def text_of(self, part: bytes, *, final: bool = False) -> bytes:
        """Return the next bytes as UTF-8. Raises Invalid for a file that is no text."""
        if self._head is not None:
            part = self._head + part
            if len(part) < _HEAD_BYTES and not final:
                self._head = part
                return b""
            self._head = None
            part = self._begun(part)
        if self._utf16 is None:
            return part
        try:
            return self._utf16.decode(part, final).encode()
        except UnicodeError:
            raise Invalid("The file begins as UTF-16 but is not; save it as UTF-8", code="bad_encoding") from None

    def _begun(self, start: bytes) -> bytes:
        for mark, what in _NO_TEXT.items():
            if start.startswith(mark):
                raise Invalid(f"The file {what}; save it as CSV or NDJSON in UTF-8", code="bad_encoding")
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._utf16 = codecs.getincrementaldecoder("utf-16")()
        return start.removeprefix(codecs.BOM_UTF8)


def without_mark(raw: bytes) -> bytes:
    """Return a whole body as UTF-8 without a byte order mark. Raises Invalid for one that is no text."""
    return _Encoding().text_of(raw, final=True)


async def lines_of(parts: AsyncIterable[bytes], line_bytes_max: int = LINE_BYTES_MAX) -> AsyncGenerator[list[TextLine]]:
    """Yield the lines of a stream, several at a time, in UTF-8 and without their ends.

    Lines end with a line feed, with or without a carriage return; in a file without line feeds, with a carriage return.
    A line longer than `line_bytes_max` is passed on as None.
    """
    encoding = _Encoding()
    rest, skipping = b"", False  # the line that has begun; whether it is too long already
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
        if len(pieces) == 1:  # joined only when the line ends: it may come in very small parts
            rest = b"" if skipping else rest + text
            found: list[TextLine] = []
        else:
            first: TextLine = None if skipping or len(rest) + len(pieces[0]) > line_bytes_max else rest + pieces[0]
            found = [first, *(piece if len(piece) <= line_bytes_max else None for piece in pieces[1:-1])]
            rest, skipping = pieces[-1], False
        if len(rest) > line_bytes_max:
            rest, skipping = b"", True
        return [text_line.removesuffix(b"\r") if text_line is not None else None for text_line in found]

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

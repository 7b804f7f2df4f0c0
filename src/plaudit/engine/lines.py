"""The lines of files that are streamed in: NDJSON or CSV, in constant memory, numbered."""

import csv
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any, cast

import msgspec
from msgspec import Struct

from plaudit.documents.member_record import from_columns
from plaudit.errors import Invalid, PlauditError

LINE_BYTES_MAX = 1 << 20


class Line(Struct, frozen=True):
    """A line by its number, and what it says (as bytes of JSON until it is read); or what is wrong with it."""

    number: int
    value: Any = None
    error: PlauditError | None = None

    def read(self) -> "Line":
        """The line, read."""
        if not isinstance(self.value, bytes):
            return self
        try:
            return Line(self.number, msgspec.json.decode(self.value))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Line(self.number, None, Invalid(f"The line is not JSON: {error}", code="bad_json"))

    @property
    def fields(self) -> dict[str, Any]:
        """What it says, when that is an object; else nothing."""
        return cast("dict[str, Any]", self.value) if isinstance(self.value, dict) else {}


async def lines_of(parts: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """The lines of a stream. Raises Invalid for one that is longer than a line may be."""
    rest = b""
    async for part in parts:
        pieces = (rest + part).split(b"\n")
        rest = pieces.pop()
        if len(rest) > LINE_BYTES_MAX:
            raise Invalid(f"A line may have {LINE_BYTES_MAX} bytes at most", code="line_too_long")
        for piece in pieces:
            yield piece
    if rest:
        yield rest


async def records(parts: AsyncIterable[bytes], *, is_csv: bool) -> AsyncGenerator[Line]:
    """The records of a stream of NDJSON or CSV, numbered by the line that they begin on; JSON is not yet read.

    Empty lines are passed over.
    """
    number, open_record, begun = 0, b"", 0
    header: list[str] = []
    async for line in lines_of(parts):
        number += 1
        if not is_csv:
            if line.strip():
                yield Line(number, line)
            continue
        begun = begun if open_record else number
        open_record = open_record + b"\n" + line if open_record else line
        if open_record.count(b'"') % 2 and len(open_record) <= LINE_BYTES_MAX:
            continue  # a cell goes on in the next line
        record, open_record = open_record.rstrip(b"\r"), b""
        if not record.strip():
            continue
        try:
            (cells,) = csv.reader([record.decode("utf-8-sig" if not header else "utf-8")], strict=True)
        except (csv.Error, UnicodeDecodeError, ValueError) as error:
            yield Line(begun, None, Invalid(f"The line is not CSV: {error}", code="bad_csv"))
            continue
        if not header:
            header = [cell.strip() for cell in cells]
        elif len(cells) > len(header):
            yield Line(
                begun, None, Invalid(f"The line has {len(cells)} cells, the header {len(header)}", code="bad_csv")
            )
        else:
            yield Line(begun, from_columns(dict(zip(header, cells, strict=False))))

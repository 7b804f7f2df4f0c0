"""Read numbered records from streamed files, NDJSON or CSV, in constant memory."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from plaudit import bounds
from plaudit.documents.columns import Column, Columns
from plaudit.errors import Invalid, PlauditError

from .csv_records import CsvReader, CsvRecord, bad_csv, delimiter_of
from .file_lines import LINE_BYTES_MAX, TextLine, lines_of

CSV_LINES_MAX = 5_000  # read in one go, as no other task runs meanwhile; a part of a stream can have many more
_CSV_TYPES = ("csv", "vnd.ms-excel", "tab-separated-values")  # names that browsers and systems use for CSV files
_CSV_SUFFIXES = (".csv", ".tsv", ".tab")


class InputLine(Struct, frozen=True):
    """A record's line number, with its content (JSON bytes until decoded) or its error."""

    number: int
    value: Any = None
    error: PlauditError | None = None

    def read(self) -> "InputLine":
        """Return the line with its JSON decoded. If it is not JSON or exceeds the bounds, return it with the error."""
        value: Any = self.value
        try:
            if isinstance(value, bytes):
                value = msgspec.json.decode(value)
            bounds.check(value)
        except RecursionError:
            return InputLine(self.number, None, bounds.too_deep())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return InputLine(self.number, None, Invalid(f"The line is not JSON: {error}", code="bad_json"))
        except Invalid as error:
            return InputLine(self.number, None, error)
        return self if value is self.value else InputLine(self.number, value)

    @property
    def fields(self) -> dict[str, Any]:
        """Return the content if it is an object, or else an empty dictionary."""
        return cast("dict[str, Any]", self.value) if isinstance(self.value, dict) else {}


def is_csv_type(content_type: str) -> bool:
    """Return whether a media type means CSV rather than NDJSON."""
    return any(literal in content_type.lower() for literal in _CSV_TYPES)


def is_csv_name(name: str) -> bool:
    """Return whether a file's name means CSV rather than NDJSON."""
    return name.lower().endswith(_CSV_SUFFIXES)


class Records:
    """The records of a stream. `columns` has the allowed columns if it is CSV; without it, the stream is NDJSON.

    `count` is the number of records so far, which a job's result is checked against. Empty lines and rows of empty
    cells do not count.
    """

    def __init__(
        self, parts: AsyncIterable[bytes], columns: Columns | None, line_bytes_max: int = LINE_BYTES_MAX
    ) -> None:
        self.count = 0
        self._line_bytes_max = line_bytes_max
        self._parts = parts
        self._columns = columns

    async def after(self, done: int) -> AsyncGenerator[InputLine]:
        """Yield the records that begin after line `done`, and count all. Raise Invalid for an invalid header."""
        parts, at_most = self._parts, self._line_bytes_max
        columns = self._columns
        records = _json_records(parts, at_most) if columns is None else _csv_records(parts, columns, at_most)
        async for line in records:
            self.count += 1
            if line.number > done:
                yield line


async def _json_records(parts: AsyncIterable[bytes], line_bytes_max: int) -> AsyncGenerator[InputLine]:
    number = 0
    async for lines in lines_of(parts, line_bytes_max):
        for line in lines:
            number += 1
            if line is None:
                yield InputLine(
                    number, None, Invalid(f"The line has more than {line_bytes_max:,} bytes", code="line_too_long")
                )
            elif line.strip():
                yield InputLine(number, line)


async def _csv_records(parts: AsyncIterable[bytes], columns: Columns, line_bytes_max: int) -> AsyncGenerator[InputLine]:
    table = _Table(columns)
    async for lines in lines_of(parts, line_bytes_max):
        for start in range(0, len(lines), CSV_LINES_MAX):
            for line in table.take(lines[start : start + CSV_LINES_MAX], final=False):
                yield line
    for line in table.take([], final=True):
        yield line


class _Table:
    """A header and the rows below it."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._header: list[TextLine] = []  # lines until the header is complete
        self._reader: CsvReader | None = None
        self._present: list[Column] = []  # the columns that the file has

    def take(self, lines: Sequence[TextLine], *, final: bool) -> Iterator[InputLine]:
        """Yield the rows that these lines complete, one by one, since an open quote can hold many rows back."""
        if self._reader is None:
            lines = self._take_header(lines, final=final)
        if self._reader is not None:
            for csv_record in self._reader.take(lines, final=final):
                if csv_record.error is not None or any(csv_record.cells):
                    yield self._line(csv_record)

    def _take_header(self, lines: Sequence[TextLine], *, final: bool) -> Sequence[TextLine]:
        """Read the header, the first line that is not empty. Return the lines after it."""
        self._header += lines
        index = next((i for i, line in enumerate(self._header) if line is None or line.strip()), None)
        if index is None:
            if final and self._header:
                raise bad_csv("The file has no header")
            return []
        delimiter = None
        first = self._header[index] or b""
        if first[:4].lower() == b"sep=" and len(first) == 5:  # how Excel names the separator
            delimiter = first[4:].decode("ascii", "replace")
            index += 1
            if index >= len(self._header):
                return []
        header = self._header[index]
        if header is None:
            raise bad_csv(f"The header has more than {LINE_BYTES_MAX:,} bytes")
        try:
            text = header.decode()
        except UnicodeDecodeError as error:
            sentence = f"The header is not UTF-8 (byte {error.object[error.start]:#04x}); save the file as UTF-8"
            raise Invalid(sentence, code="bad_header") from None
        if "\x00" in text:
            raise Invalid("The header is not text; save the file as UTF-8", code="bad_header")
        delimiter = delimiter or delimiter_of(text, self._columns.is_known)
        (record,) = CsvReader(delimiter, 0, 1).take([header], final=True)
        if record.error is not None:
            raise Invalid(f"The header cannot be read: {record.error.message}", code="bad_header")
        self._present = self._columns.of(record.cells)
        self._reader = CsvReader(delimiter, len(self._present), index + 2)
        return self._header[index + 1 :]

    def _line(self, record: CsvRecord) -> InputLine:
        if record.error is not None:
            return InputLine(record.number, None, record.error)
        try:
            return InputLine(record.number, self._columns.record(self._present, record.cells))
        except PlauditError as error:
            return InputLine(record.number, None, error)

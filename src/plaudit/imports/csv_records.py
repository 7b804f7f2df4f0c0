"""CSV records (RFC 4180) from numbered lines: which separator is used, and where each record begins.

A quote that is never closed would join all following lines into one record. So an invalid record of several lines only
costs its first line: reading resumes with the next one, and every line is either imported or refused.
"""

import csv
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from plaudit.errors import Invalid, PlauditError

from .file_lines import EXPORTED_LINE_BYTES_MAX, LINE_BYTES_MAX, TextLine

RECORD_BYTES_MAX = LINE_BYTES_MAX
RECORD_LINES_MAX = 10_000  # what an open quote holds back is read at one go
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
csv.field_size_limit(
    4 * EXPORTED_LINE_BYTES_MAX
)  # of the process; the bound is ours, and the part that exceeds it may be large


class CsvRecord(Struct, frozen=True):
    """The cells of a record, with the number of its first line; or its error."""

    number: int
    cells: list[str]
    error: PlauditError | None = None


def bad_csv(sentence: str) -> Invalid:
    """Return the error of a line, or of a file, that is not CSV."""
    return Invalid(sentence, code="bad_csv")


def delimiter_of(header: str, is_known: Callable[[str], bool]) -> str:
    """Return what separates the cells of a file, by its header. Raises Invalid when several characters could.

    It is what makes the most columns with known names, and among those the most columns.
    """
    scores: dict[str, tuple[int, int]] = {}
    for delimiter in DELIMITERS:
        try:
            (cells,) = csv.reader([header], delimiter=delimiter, strict=True)
        except (csv.Error, ValueError):
            continue
        scores[delimiter] = (sum(is_known(cell.strip()) for cell in cells), len(cells))
    best = max(scores.values(), default=(0, 1))
    found = [delimiter for delimiter, score in scores.items() if score == best]
    if best[1] > 1 and len(found) > 1:
        names = " or ".join(DELIMITERS[name] for name in found)
        raise Invalid(f"The header could be separated by {names} (got {header[:64]!r})", code="bad_header")
    return found[0] if found and best[1] > 1 else ","


class CsvReader:
    """A reader of records from lines as they arrive. `take` keeps incomplete records."""

    def __init__(self, delimiter: str, width: int, first: int) -> None:
        """Read records of `width` cells, from line number `first` on."""
        self._delimiter = delimiter
        self._width = width
        self._first = first  # the number of the first line that is kept
        self._kept: list[TextLine] = []
        self._bytes = 0  # that are kept
        self._wanted = 0  # bytes, before an open record is read again: twice as many each time, not line by line

    def take(self, lines: Sequence[TextLine], *, final: bool) -> list[CsvRecord]:
        """Return the records that are complete with these lines; with `final`, those that are broken off too."""
        self._kept += lines
        self._bytes += _size(lines)
        records: list[CsvRecord] = []
        if self._bytes < self._wanted and not final:
            return records
        start = self._wanted = 0
        while start < len(self._kept):
            start, problem = self._read_from(start, records)
            if problem is None:
                continue
            if problem == _OPEN and not final and not _is_too_large(open_lines := self._kept[start:]):
                self._wanted = min(2 * _size(open_lines), RECORD_BYTES_MAX + 1)
                break
            records.append(CsvRecord(self._first + start, [], bad_csv(_UNCLOSED if problem == _OPEN else problem)))
            start += 1
        self._bytes -= _size(self._kept[:start])
        del self._kept[:start]
        self._first += start
        return records

    def _read_from(self, start: int, records: list[CsvRecord]) -> tuple[int, str | None]:
        """Read on from a line. Return the first unread line and the error, if any."""
        unread: list[str] = []  # what is wrong with the line at which the text ended

        def texts() -> Iterator[str]:
            for place in range(start, len(self._kept)):
                line = self._kept[place]
                if line is None:
                    unread.append(f"The line has more than {LINE_BYTES_MAX:,} bytes")
                    return
                try:
                    yield line.decode() + "\n"  # which a quoted cell keeps
                except UnicodeDecodeError as error:
                    unread.append(f"The line is not UTF-8 (byte {error.object[error.start]:#04x})")
                    return
            unread.append(_OPEN)

        reader = csv.reader(texts(), delimiter=self._delimiter, strict=True)
        used = 0
        try:
            for cells in reader:
                if reader.line_num - used > 1 and (
                    len(cells) < self._width
                    or any(cells[self._width :])
                    or _is_too_large(self._kept[start + used : start + reader.line_num])
                ):
                    return start + used, _UNCLOSED
                records.append(CsvRecord(self._first + start + used, cells))
                used = reader.line_num
        except csv.Error as error:
            if not unread:
                return start + used, _UNCLOSED if reader.line_num > used + 1 else f"The line is not CSV: {error}"
            is_at_end = unread[0] == _OPEN
            return start + used, _OPEN if is_at_end else _UNCLOSED if reader.line_num > used else unread[0]
        return start + used, None if unread[0] == _OPEN else unread[0]


def _is_too_large(record: Sequence[TextLine]) -> bool:
    return len(record) > RECORD_LINES_MAX or _size(record) > RECORD_BYTES_MAX


def _size(lines: Sequence[TextLine]) -> int:
    return sum(len(line or b"") + 1 for line in lines)


_UNCLOSED = "The line has a quote that is not closed"
_OPEN = "the lines end within a cell"  # more may follow

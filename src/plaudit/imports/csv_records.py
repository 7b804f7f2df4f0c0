"""Split numbered lines into CSV records (RFC 4180), and detect the separator.

A quote that is never closed would join all following lines into one record. So if a record of several lines is invalid,
only its first line is refused, and reading resumes with the next line. Every line is either imported or refused.
"""

import csv
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from plaudit.errors import Invalid, PlauditError

from .file_lines import EXPORTED_LINE_BYTES_MAX, LINE_BYTES_MAX, TextLine

RECORD_BYTES_MAX = LINE_BYTES_MAX
RECORD_LINES_MAX = 10_000  # a record with an open quote is read in one go
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# The limit is for the whole process. It is above our own bound, which is checked only after a field has been read.
csv.field_size_limit(4 * EXPORTED_LINE_BYTES_MAX)


class CsvRecord(Struct, frozen=True):
    """The cells of a record, with the number of its first line; or its error."""

    number: int
    cells: list[str]
    error: PlauditError | None = None


def bad_csv(sentence: str) -> Invalid:
    """Return the error of a line or file that is not CSV."""
    return Invalid(sentence, code="bad_csv")


def delimiter_of(header: str, is_known: Callable[[str], bool]) -> str:
    """Return a file's separator, judging by its header. Raise Invalid if several characters are equally likely.

    The separator is the character that yields the most columns with known names, then the most columns.
    """
    scores: dict[str, tuple[int, int]] = {}
    for delimiter in DELIMITERS:
        try:
            (cells,) = csv.reader([header], delimiter=delimiter, strict=True)
        except (csv.Error, ValueError):
            continue
        scores[delimiter] = (sum(is_known(cell.strip()) for cell in cells), len(cells))
    best = max(scores.values(), default=(0, 1))
    candidates = [delimiter for delimiter, score in scores.items() if score == best]
    if best[1] > 1 and len(candidates) > 1:
        names = " or ".join(DELIMITERS[name] for name in candidates)
        raise Invalid(f"The header could be separated by {names} (got {header[:64]!r})", code="bad_header")
    return candidates[0] if candidates and best[1] > 1 else ","


class CsvReader:
    """A reader of records from lines as they arrive. It keeps the lines of an incomplete record."""

    def __init__(self, delimiter: str, width: int, first: int) -> None:
        """Read records of `width` cells, from line number `first` on."""
        self._delimiter = delimiter
        self._width = width
        self._first = first  # the number of the first pending line
        self._pending: list[TextLine] = []
        self._bytes = 0  # of the pending lines
        # Read an open record again only at this size, which doubles each time: reading it with each line takes too long.
        self._read_again_bytes = 0

    def take(self, lines: Sequence[TextLine], *, final: bool) -> list[CsvRecord]:
        """Return the records that these lines complete. With `final`, also return an incomplete record as an error."""
        self._pending += lines
        self._bytes += _size(lines)
        records: list[CsvRecord] = []
        if self._bytes < self._read_again_bytes and not final:
            return records
        start = self._read_again_bytes = 0
        while start < len(self._pending):
            start, problem = self._read_from(start, records)
            if problem is None:
                continue
            if problem == _OPEN and not final and not _is_too_large(open_lines := self._pending[start:]):
                self._read_again_bytes = min(2 * _size(open_lines), RECORD_BYTES_MAX + 1)
                break
            records.append(CsvRecord(self._first + start, [], bad_csv(_UNCLOSED if problem == _OPEN else problem)))
            start += 1
        self._bytes -= _size(self._pending[:start])
        del self._pending[:start]
        self._first += start
        return records

    def _read_from(self, start: int, records: list[CsvRecord]) -> tuple[int, str | None]:
        """Read records from a line on. Return the index of the first unread line, and the error if any."""
        unread: list[str] = []  # the reason why reading ended at this line

        def texts() -> Iterator[str]:
            for index in range(start, len(self._pending)):
                line = self._pending[index]
                if line is None:
                    unread.append(f"The line has more than {LINE_BYTES_MAX:,} bytes")
                    return
                try:
                    yield line.decode() + "\n"  # a quoted cell keeps its line breaks
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
                    or _is_too_large(self._pending[start + used : start + reader.line_num])
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
_OPEN = "the lines end within a cell"  # the rest may follow

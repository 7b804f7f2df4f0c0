"""Read the codes of one pool from a CSV file: from a column called `code`, or one code per line without a header.

A header must not become a code that a member gets. So a file without a `code` column is refused if it has several
columns, or if its first line looks like a header.
"""

import re
from collections.abc import AsyncIterator, Sequence

from plaudit.bounds import WRONG_MAX
from plaudit.errors import FieldError, Invalid, invalid_fields

from .csv_records import DELIMITERS, CsvReader, CsvRecord, delimiter_of
from .file_lines import lines_of

COLUMN = "code"
LINES_MAX = 50_000  # including empty lines
_OTHER_LINES = 2  # the line that names the separator, and the header
_LIKE_A_HEADER = re.compile(r"(coupons?|vouchers?|promo|discount|gift)?[ _-]?(codes?|coupons?|vouchers?|id|value)")
_DIGIT = re.compile(r"\d")


async def codes_of_csv(raw: bytes, codes_max: int) -> list[str]:
    """Return the codes, without surrounding blanks. Raise Invalid for too many codes, or with the invalid lines."""

    async def whole() -> AsyncIterator[bytes]:
        yield raw

    lines = [line async for some in lines_of(whole()) for line in some]
    filled_count = sum(line != b"" for line in lines)
    if filled_count > codes_max + _OTHER_LINES or len(lines) > LINES_MAX:  # refused early, as reading them takes long
        raise Invalid(f"The file may have {codes_max:,} codes and {LINES_MAX:,} lines at most", code="bad_csv")
    delimiter, start = None, 0
    if lines and (top := lines[0]) and top[:4].lower() == b"sep=" and len(top) == 5:  # how Excel names the separator
        delimiter, start = chr(top[4]), 1
    while start < len(lines) and lines[start] == b"":
        start += 1
    first = (lines[start] or b"").decode(errors="replace") if start < len(lines) else ""
    delimiter = delimiter or delimiter_of(first, lambda name: name.lower() == COLUMN)

    def records(width: int, start: int, end: int | None = None) -> list[CsvRecord]:
        return CsvReader(delimiter, width, start + 1).take(lines[start:end], final=True)

    header = [cell.strip().lower() for record in records(0, start, start + 1) for cell in record.cells]
    if COLUMN in header:
        if header.count(COLUMN) > 1:
            raise _bad_header("The header must have only one `code` column", first)
        return _codes(records(len(header), start + 1), header.index(COLUMN), len(header))
    codes = _codes(records(1, start), 0, 1) if len(header) <= 1 else []
    if len(header) > 1 or any(key in code for code in codes for key in DELIMITERS):
        raise _bad_header("A file with several columns needs a `code` column", first)
    if codes and _is_header(codes[0], codes[1:]):
        raise _bad_header("The first line looks like a header: the header of a file of codes must be `code`", first)
    return codes


def _codes(rows: Sequence[CsvRecord], column: int, width: int) -> list[str]:
    codes: list[str] = []
    wrong: list[FieldError] = []
    for row in rows:
        cells = [cell.strip() for cell in row.cells]
        if row.error is not None:
            message = f"cannot be read: {row.error.message}"
        elif any(cells[width:]):
            message = f"has {len(cells)} cells, but the header has {width}"
        elif not any(cells):
            continue
        elif len(cells) > column and cells[column]:
            codes.append(cells[column])
            continue
        else:
            message = "has no code"
        wrong.append(FieldError(f"line {row.number}", message))
    if wrong:
        raise invalid_fields(wrong[:WRONG_MAX])
    return codes


def _is_header(first: str, others: Sequence[str]) -> bool:
    """Return whether a line looks like a header: by its text, or if all other lines differ by digits or length."""
    if _LIKE_A_HEADER.fullmatch(first.lower()):
        return True
    if not others or _DIGIT.search(first):
        return False
    lengths = {len(name) for name in others}
    return all(map(_DIGIT.search, others)) or (len(others) > 1 and len(lengths) == 1 and len(first) not in lengths)


def _bad_header(sentence: str, header: str) -> Invalid:
    return Invalid(f"{sentence} (got {header[:64]!r})", code="bad_header")

"""Members who move here from another server, with their history: the lines of its exports become rows as they were.

Nothing is decided: an event that comes so has been decided, and what it paid comes as transactions, whose lots come with
the member. So the order is that of plaudit.documents.export_lines.LINES, and a member comes last, when all that led to them is there.
A line that comes again as it was changes nothing. What the server refuses is found by halving, and spoils no other line.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import asyncpg
import msgspec
from msgspec import Struct

from plaudit import bounds
from plaudit.documents.export_lines import LINES
from plaudit.documents.validation import struct_of
from plaudit.errors import Invalid, PlauditError
from plaudit.storage.postgres import Connection, Pool, atomic, with_retries
from plaudit.storage.programmes import Programme

from . import moving_audit, moving_history, moving_members, moving_organisation
from .batch import BatchResult, ImportBatch
from .reader import InputLine

PREFIX = "moved."  # of the kinds of jobs that take exports in

Numbered = tuple[int, Any]  # the number of a line, and the line
Take = Callable[[Connection, Programme, Sequence[Numbered]], Awaitable[BatchResult]]

_TAKE: Mapping[str, Take] = {
    "organisation": moving_organisation.take,
    "audit": moving_audit.take,
    "events": moving_history.take_events,
    "transactions": moving_history.take_transactions,
    "members": moving_members.take,
}


async def import_batch(pool: Pool, programme: Programme, part: ImportBatch) -> BatchResult:
    """Import the lines of a part. Raise the database's errors: then nothing was written."""
    kind = part.kind.removeprefix(PREFIX)
    lines: list[Numbered] = []
    wrong = BatchResult()
    for line in part.lines:
        try:
            lines.append((line.number, _read(line, LINES[kind])))
        except PlauditError as error:
            wrong.errors.append((line.number, error))
    async with pool.acquire() as connection:

        async def attempt() -> BatchResult:
            done = BatchResult(errors=list(wrong.errors))
            async with atomic(connection):
                await _take(connection, programme, _TAKE[kind], lines, done)
            return done

        return await with_retries(attempt)


def _read(line: InputLine, into: type[Struct]) -> Any:
    if line.error is not None:
        raise line.error
    value: Any = line.value
    if isinstance(value, bytes):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(f"The line is not JSON: {error}", code="bad_json") from None
    found = struct_of(value, into)
    # What is within a field was checked where it came from first, and by other bounds perhaps; a column takes no U+0000.
    bounds.check(
        {name: item for name, item in cast("dict[str, Any]", value).items() if not isinstance(item, dict | list)}
    )
    return found


async def _take(
    connection: Connection, programme: Programme, take: Take, lines: Sequence[Numbered], into: BatchResult
) -> None:
    todo = [lines] if lines else []
    while todo:
        batch = todo.pop()
        try:
            async with atomic(connection):
                done = await take(connection, programme, batch)
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as problem:
            if len(batch) > 1:
                middle = len(batch) // 2
                todo += [batch[middle:], batch[:middle]]  # the first lines first
                continue
            what = getattr(problem, "constraint_name", None) or type(problem).__name__
            into.errors.append((batch[0][0], Invalid(f"The database cannot store the line ({what})", code="refused")))
            continue
        into.accepted += done.accepted
        into.unchanged += done.unchanged
        into.errors += done.errors

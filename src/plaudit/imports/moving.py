"""Import members with their history from another server: lines of its exports become rows again.

Nothing is decided again: events have their outcomes, and the transactions they posted are lines of their own. The order
is that of plaudit.documents.export_lines.LINES: a member comes last, after all events and transactions that led to their
state. Importing the same line again changes nothing. Lines that the database refuses are found by halving the batch, so
they do not affect the others.
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

PREFIX = "moved."  # begins the kinds of jobs that import exports

Numbered = tuple[int, Any]  # a line with its number
Take = Callable[[Connection, Programme, Sequence[Numbered]], Awaitable[BatchResult]]

_TAKE: Mapping[str, Take] = {
    "organisation": moving_organisation.take,
    "audit": moving_audit.take,
    "events": moving_history.take_events,
    "transactions": moving_history.take_transactions,
    "members": moving_members.take,
}


async def import_batch(pool: Pool, programme: Programme, batch: ImportBatch) -> BatchResult:
    """Import the lines of a batch. Raise the database's errors; in that case nothing was written."""
    kind = batch.kind.removeprefix(PREFIX)
    lines: list[Numbered] = []
    invalid = BatchResult()
    for line in batch.lines:
        try:
            lines.append((line.number, _read(line, LINES[kind])))
        except PlauditError as error:
            invalid.errors.append((line.number, error))
    async with pool.acquire() as connection:

        async def attempt() -> BatchResult:
            result = BatchResult(errors=list(invalid.errors))
            async with atomic(connection):
                await _take(connection, programme, _TAKE[kind], lines, result)
            return result

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
    record = struct_of(value, into)
    # Only check the fields themselves, as columns cannot hold U+0000. The first server checked nested values, perhaps
    # with other bounds.
    bounds.check(
        {name: item for name, item in cast("dict[str, Any]", value).items() if not isinstance(item, dict | list)}
    )
    return record


async def _take(
    connection: Connection, programme: Programme, take: Take, lines: Sequence[Numbered], result: BatchResult
) -> None:
    todo = [lines] if lines else []
    while todo:
        batch = todo.pop()
        try:
            async with atomic(connection):
                imported = await take(connection, programme, batch)
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as problem:
            if len(batch) > 1:
                middle = len(batch) // 2
                todo += [batch[middle:], batch[:middle]]  # the first half is popped first
                continue
            cause = getattr(problem, "constraint_name", None) or type(problem).__name__
            error = Invalid(f"The database cannot store the line ({cause})", code="refused")
            result.errors.append((batch[0][0], error))
            continue
        result.accepted += imported.accepted
        result.unchanged += imported.unchanged
        result.errors += imported.errors

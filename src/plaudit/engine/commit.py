"""Write the rows of a batch into their tables, one statement per table, inside the caller's transaction.

Append-only rows are copied in. A changed row is updated if it was loaded and inserted if it is new: that costs the
database half as much as an upsert.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from plaudit.storage.postgres import Connection, array_literal
from plaudit.storage.queries import queries_beside
from plaudit.storage.watches import changed_members

from . import inbox
from .arrival import Arrival
from .load import Batch
from .processed import ProcessedEvent
from .rows import COPIED, UPDATED, WRITTEN, BatchRows, Row
from .totals import add_totals

_SQL = queries_beside(__file__)


async def commit(connection: Connection, batch: Batch, rows: BatchRows, decided_at: datetime) -> None:
    """Write all results of a batch."""
    if rows.failed:
        await set_aside(connection, rows.failed, decided_at)
    if not rows.of["events"]:
        return
    for table, columns in COPIED.items():
        if rows.of[table]:
            await connection.copy_records_to_table(table, records=rows.of[table], columns=columns)
    for query in WRITTEN:
        if rows.of[query]:
            await connection.execute(_SQL.by_name[query], *_columns(rows.of[query]))
    moved = [bucket for bucket, position in rows.positions.items() if position != batch.positions[bucket]]
    at = [rows.positions[bucket] for bucket in moved]
    updates = [column for part in UPDATED for column in _encode_columns(rows.of[part], _TAKEN_AS[part])]
    await connection.execute(_SQL.move_on, *updates, moved, at, decided_at)
    await _write_identities(connection, rows.identities)
    if rows.onward:
        await inbox.append(connection, rows.onward)
    for said in changed_members(rows.changed):
        await connection.execute(_SQL.announce_members, said)
    if rows.of["outbox"]:
        await connection.execute(_SQL.announce_messages, ",".join({str(row[0]) for row in rows.of["outbox"]}))
    # Last: only here can two lanes wait for each other.
    await add_totals(connection, rows.totals)


async def set_aside(connection: Connection, failed: Iterable[ProcessedEvent], at: datetime) -> None:
    """Store events that could not be decided, with their errors."""
    rows = [
        (
            arrival.event_id, arrival.bucket, arrival.event_key, arrival.org_id, arrival.member_id, arrival.user_id, arrival.kind, arrival.trigger,
            arrival.occurred_at, arrival.received_at, arrival.source, arrival.fingerprint, arrival.payload, processed_event.error,
        )
        for processed_event in failed
        for arrival in (processed_event.arrival,)
    ]  # fmt: skip
    await connection.execute(_SQL.set_aside, *_columns(rows), at)


SEPARATOR = "\x1e"


def join_texts(texts: Iterable[str | None]) -> str:
    """Return texts joined into one; None counts as empty."""
    return SEPARATOR.join([text or "" for text in texts])


def none_if_all_null(column: Iterable[Any]) -> list[Any] | None:
    """Return the column, or None if it holds nothing but nulls."""
    values = list(column)
    return values if any(values) else None


def _encode_columns(rows: Sequence[Row], ways: Sequence[Callable[[Iterable[Any]], Any]]) -> list[Any]:
    """Return the columns of rows, each encoded by its encoder, also if there are no rows."""
    columns: Iterable[tuple[Any, ...]] = zip(*rows, strict=True) if rows else ((),) * len(ways)
    return [way(column) for way, column in zip(ways, columns, strict=True)]


# How `move_on` takes the columns of what it updates.
_TAKEN_AS: Mapping[str, Sequence[Callable[[Iterable[Any]], Any]]] = {
    "members_now": (array_literal, array_literal, list, list, array_literal, none_if_all_null),
    "balances_now": (array_literal, array_literal, join_texts, array_literal, array_literal, join_texts),
    "progress_now": (array_literal, array_literal, join_texts, join_texts, join_texts),
}


async def _write_identities(
    connection: Connection, given: Mapping[tuple[UUID, str], tuple[Arrival, str | None]]
) -> None:
    """Write members' identities. Raise UniqueViolationError if one belongs to another member."""
    if not given:
        return
    gone: list[Row] = [(arrival.bucket, member_id, kind) for (member_id, kind), (arrival, _) in given.items()]
    await connection.execute(_SQL.delete_identities, *_columns(gone))
    kept: list[Row] = [
        (arrival.org_id, kind, value, arrival.bucket, member_id, arrival.user_id)
        for (member_id, kind), (arrival, value) in given.items()
        if value is not None
    ]
    if kept:
        await connection.execute(_SQL.insert_identities, *_columns(kept))


def _columns(rows: list[Row]) -> list[Any]:
    return [list(column) for column in zip(*rows, strict=True)]

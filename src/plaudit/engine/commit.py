"""Write the rows of a batch into their tables, one statement per table, inside the caller's transaction.

Append-only rows use COPY. A changed row is updated if it was loaded and inserted if it is new: that costs the
database half as much as an upsert.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside
from plaudit.storage.watches import changed_members

from . import inbox
from .arrival import Arrival
from .load import Batch
from .processed import ProcessedEvent
from .rows import BatchRows, Row
from .tables import (
    COPIED,
    DELETE_IDENTITIES,
    FAILED_EVENTS,
    IDENTITIES,
    INSERT_IDENTITIES,
    SET_ASIDE,
    UPDATE_ALL,
    UPDATED,
    WRITES,
    Write,
    state_writes,
)
from .totals import add_totals

_SQL = queries_beside(__file__)


async def commit(connection: Connection, batch: Batch, rows: BatchRows, decided_at: datetime) -> None:
    """Write all results of a batch."""
    if rows.failed:
        await set_aside(connection, rows.failed, decided_at)
    if not rows.of["events"]:
        return
    for table in COPIED:
        if rows.of[table.name]:
            await connection.copy_records_to_table(table.name, records=rows.of[table.name], columns=table.names)
    for write in chain(WRITES, state_writes()):
        if rows.of[write.name]:
            await _execute(connection, write, rows.of[write.name])
    rows.of["positions_now"] = [
        (bucket, position, decided_at)
        for bucket, position in rows.positions.items()
        if position != batch.positions[bucket]
    ]
    updates = [parameter for table in UPDATED for parameter in table.parameters(rows.of[f"{table.name}_now"])]
    await connection.execute(UPDATE_ALL, *updates)
    await _write_identities(connection, rows.identities)
    if rows.follow_ups:
        await inbox.append(connection, rows.follow_ups)
    for names in changed_members(rows.changed):
        await connection.execute(_SQL.announce_members, names)
    if rows.of["outbox"]:
        await connection.execute(_SQL.announce_messages, ",".join({str(row[0]) for row in rows.of["outbox"]}))
    # Last, because lanes can wait for each other here.
    await add_totals(connection, rows.totals)


async def set_aside(connection: Connection, failed: Iterable[ProcessedEvent], at: datetime) -> None:
    """Store events that could not be decided, with their errors."""
    rows = [FAILED_EVENTS.row(**_arrived(event.arrival), error=event.error, failed_at=at) for event in failed]
    await _execute(connection, SET_ASIDE, rows)


def _arrived(arrival: Arrival) -> dict[str, Any]:
    return {name: getattr(arrival, name) for name in inbox.COLUMNS}


async def _execute(connection: Connection, write: Write, rows: Sequence[Row]) -> None:
    if rows:
        await connection.execute(write.statement, *write.table.parameters(rows))


async def _write_identities(
    connection: Connection, identities: Mapping[tuple[UUID, str], tuple[Arrival, str | None]]
) -> None:
    """Write members' identities. Raise UniqueViolationError if one belongs to another member."""
    rows = [
        IDENTITIES.row(
            bucket=arrival.bucket, member_id=member_id, kind=kind, org_id=arrival.org_id, value=value,
            user_id=arrival.user_id,
        )
        for (member_id, kind), (arrival, value) in identities.items()
    ]  # fmt: skip
    await _execute(connection, DELETE_IDENTITIES, [row[: IDENTITIES.key] for row in rows])
    value = IDENTITIES.names.index("value")
    await _execute(connection, INSERT_IDENTITIES, [row for row in rows if row[value] is not None])

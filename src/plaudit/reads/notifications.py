"""Members' notifications, as apps read them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.change_summary import ChangeSummary
from plaudit.core.ids import bucket_of
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

UNREAD_MAX = 500
NOTHING_CHANGED = ChangeSummary()

_CHANGES = msgspec.json.Decoder(ChangeSummary)


class NotificationRow(Struct, frozen=True, kw_only=True):
    """A notification as stored. `changes` are the changes that it reports."""

    notification_id: UUID
    sequence: int
    type: str
    cause: Cause
    step: int | None
    display: str
    title: str | None
    message: str
    created_at: datetime
    expires_at: datetime | None
    read_at: datetime | None
    changes: ChangeSummary


async def unread(connection: Connection, member_id: UUID, now: datetime) -> list[NotificationRow]:
    """Return a member's unread notifications, oldest first; at most 500."""
    rows = await connection.fetch(_SQL.unread, bucket_of(member_id), member_id, now, UNREAD_MAX)
    return [_note(row) for row in rows]


async def fetch_page(
    connection: Connection, member_id: UUID, before: int, now: datetime, size: int
) -> list[NotificationRow]:
    """Return a page of all notifications of a member, newest first."""
    rows = await connection.fetch(_SQL.page, bucket_of(member_id), member_id, before, now, size)
    return [_note(row) for row in rows]


async def unread_count(connection: Connection, member_id: UUID, now: datetime) -> int:
    """Return the number of a member's unread notifications."""
    return await connection.fetchval(_SQL.unread_count, bucket_of(member_id), member_id, now)


async def after(connection: Connection, seen: Mapping[UUID, int], most: int) -> list[tuple[UUID, NotificationRow]]:
    """Return the notifications after the sequence that each member has seen, in order, at most `most` in total."""
    ids = list(seen)
    rows = await connection.fetch(_SQL.of_members, [bucket_of(id_) for id_ in ids], ids, list(seen.values()), most)
    return [(row["member_id"], _note(row)) for row in rows]


async def last(connection: Connection, member_id: UUID) -> int:
    """Return the sequence of a member's newest notification, or 0."""
    return await connection.fetchval(_SQL.last, bucket_of(member_id), member_id)


def _note(row: asyncpg.Record) -> NotificationRow:
    fields: dict[str, Any] = {name: row[name] for name in NotificationRow.__struct_fields__ if name != "cause"}
    fields["cause"] = Cause(row["cause_kind"], row["cause_id"])
    changes = fields["changes"]
    fields["changes"] = NOTHING_CHANGED if changes is None else _CHANGES.decode(changes)
    return NotificationRow(**fields)

"""Events: in the log, waiting, or set aside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)

Row = dict[str, Any]


async def one(connection: Connection, org_id: UUID, event_ids: Sequence[UUID]) -> Row | None:
    """The event of one of these ids, wherever it is; its `state` says where."""
    for query, state in ((SQL.in_log, None), (SQL.failed, "failed"), (SQL.waiting, "queued")):
        row = await connection.fetchrow(query, org_id, event_ids)
        if row is not None:
            return dict(row) | ({"state": state} if state else {})
    # It may have left the inbox for the log between the looks.
    row = await connection.fetchrow(SQL.in_log, org_id, event_ids)
    return None if row is None else dict(row)


async def page_of_log(
    connection: Connection,
    org_id: UUID,
    before: tuple[datetime, int, int],
    *,
    member_id: UUID | None,
    state: str | None,
    size: int,
) -> list[Row]:
    """Decided events, newest first."""
    rows = await connection.fetch(SQL.page_of_log, org_id, *before, member_id, state, size)
    return [dict(row) for row in rows]


async def page_of_failed(
    connection: Connection, org_id: UUID, before: tuple[datetime, UUID], *, member_id: UUID | None, size: int
) -> list[Row]:
    """Events that were set aside, newest first."""
    rows = await connection.fetch(SQL.page_of_failed, org_id, *before, member_id, size)
    return [dict(row) | {"state": "failed"} for row in rows]


async def page_of_inbox(
    connection: Connection, org_id: UUID, before: int, *, member_id: UUID | None, size: int
) -> list[Row]:
    """Events that wait to be decided, newest first."""
    rows = await connection.fetch(SQL.page_of_inbox, org_id, before, member_id, size)
    return [dict(row) | {"state": "queued"} for row in rows]


async def transactions_of(connection: Connection, event: Row) -> list[Row]:
    """What a decided event led to in the books."""
    place = (event["bucket"], event["member_id"], event["position"])
    return [dict(row) for row in await connection.fetch(SQL.transactions_of, *place)]

"""Export all data that is stored about a member, apart from the profile."""

from typing import Any
from uuid import UUID

import msgspec

from plaudit.core.ids import bucket_of, member_id_of
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

Row = dict[str, Any]

_DECODED = ("payload", "outcome", "details", "state", "terms")


async def consents(connection: Connection, org_id: UUID, user_id: str) -> list[Row]:
    """Return a member's consents in chronological order."""
    member_id = member_id_of(org_id, user_id)
    return [dict(row) for row in await connection.fetch(_SQL.consents, bucket_of(member_id), member_id)]


async def everything(connection: Connection, org_id: UUID, user_id: str) -> dict[str, list[Row]]:
    """Return all rows about a member, by table. JSON columns are decoded, and the tables' keys left out."""
    member_id = member_id_of(org_id, user_id)
    rows_by_table: dict[str, list[Row]] = {}
    for name, query in _QUERIES.items():
        rows = await connection.fetch(query, bucket_of(member_id), member_id)
        rows_by_table[name] = [_row_view(dict(row)) for row in rows]
    return rows_by_table


_QUERIES = {
    "transactions": _SQL.held_transactions, "events": _SQL.held_events, "waiting": _SQL.held_waiting,
    "failed": _SQL.held_failed, "notifications": _SQL.held_notifications, "pushSubscriptions": _SQL.held_push, "progress": _SQL.held_progress,
    "segments": _SQL.held_segments, "standings": _SQL.held_standings,
}  # fmt: skip


def _row_view(row: Row) -> Row:
    return {
        name: msgspec.json.decode(value) if name in _DECODED and str(value).startswith(("{", "[")) else value
        for name, value in row.items()
        if name not in ("bucket", "member_id", "org_id")
    }

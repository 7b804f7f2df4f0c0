"""Reads the log of one member, so that it can be decided again."""

from typing import Any
from uuid import UUID

from plaudit.core.ids import bucket_of
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

POSITION_MAX = 2**63 - 1


async def log_of_member(
    connection: Connection, member_id: UUID, until: int = POSITION_MAX, size: int | None = None
) -> list[dict[str, Any]]:
    """Return a member's log in order, up to and including a position: all events, or the first `size`.

    The log of an erased member is empty, because the data on which it was decided has been deleted.
    """
    rows = await connection.fetch(_SQL.log_of_member, bucket_of(member_id), member_id, until, size)
    return [dict(row) for row in rows]

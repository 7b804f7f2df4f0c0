"""Mark notifications as read. This is not an event in the log, since nothing can follow from it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from plaudit.core.ids import bucket_of

from .postgres import Connection
from .queries import queries_beside

_SQL = queries_beside(__file__)


async def mark_read(connection: Connection, member_id: UUID, ids: Sequence[UUID], at: datetime) -> int:
    """Mark a member's notifications as read. Return how many were unread."""
    return _count(await connection.execute(_SQL.mark, bucket_of(member_id), member_id, list(ids), at))


async def mark_read_up_to(connection: Connection, member_id: UUID, last: UUID | None, at: datetime) -> int:
    """Mark a member's notifications as read, up to and including `last`, or all. Return how many were unread."""
    return _count(await connection.execute(_SQL.mark_up_to, bucket_of(member_id), member_id, last, at))


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])

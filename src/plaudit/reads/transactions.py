"""The ledger, as it is read."""

from datetime import datetime
from typing import Any
from uuid import UUID

from plaudit.core.ids import bucket_of
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)

Row = dict[str, Any]


async def page(
    connection: Connection,
    org_id: UUID,
    before: tuple[datetime, int, int, int],
    *,
    metric: str | None,
    campaign_id: str | None,
    size: int,
) -> list[Row]:
    """The transactions of an organisation, newest first."""
    rows = await connection.fetch(SQL.page, org_id, *before, metric, campaign_id, size)
    return [dict(row) for row in rows]


async def page_of_member(
    connection: Connection,
    member_id: UUID,
    before: tuple[int, int],
    *,
    metric: str | None,
    campaign_id: str | None,
    size: int,
) -> list[Row]:
    """The transactions of a member, newest first."""
    key = bucket_of(member_id), member_id
    rows = await connection.fetch(SQL.page_of_member, *key, *before, metric, campaign_id, size)
    return [dict(row) for row in rows]


async def one(connection: Connection, org_id: UUID, transaction_id: UUID) -> Row | None:
    """One transaction."""
    row = await connection.fetchrow(SQL.one, org_id, transaction_id)
    return None if row is None else dict(row)

"""Analytics: exact sums of daily totals. A period is a number of whole days in the organisation's time zone."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from plaudit.clock import OrgClock
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .cause_filter import CauseFilter

_SQL = queries_beside(__file__)

Row = dict[str, Any]


async def by_metric(connection: Connection, org_id: UUID, first: date, last: date, metric: str | None) -> list[Row]:
    """Return the sums and counts of credits and debits, by metric."""
    return [dict(row) for row in await connection.fetch(_SQL.by_metric, org_id, first, last, metric)]


async def top_campaigns(
    connection: Connection, org_id: UUID, first: date, last: date, metric: str | None, size: int
) -> list[Row]:
    """Return the campaigns with the most transactions."""
    return [dict(row) for row in await connection.fetch(_SQL.top_campaigns, org_id, first, last, metric, size)]


async def unique_users(
    connection: Connection,
    org_id: UUID,
    since: datetime,
    until: datetime,
    metric: str | None,
    written_since: datetime,
) -> int:
    """Return how many members had a transaction in the period. `written_since` is its start by the wall clock."""
    return await connection.fetchval(_SQL.unique_users, org_id, since, until, metric, written_since)


async def series(
    connection: Connection,
    org_id: UUID,
    first: date,
    last: date,
    *,
    unit: str,
    metric: str | None,
    causes: CauseFilter,
) -> list[Row]:
    """Return the totals by metric and by day, ISO week or month."""
    rows = await connection.fetch(_SQL.series, org_id, first, last, unit, metric, causes.kinds, causes.id)
    return [dict(row) for row in rows]


async def activity(connection: Connection, org_id: UUID, org_clock: OrgClock, before: datetime, size: int) -> list[Row]:
    """Return the latest transactions, enrolments and changes, newest first, by the organisation's clock."""
    records = await connection.fetch(_SQL.activity, org_id, before, size, org_clock.wall_of(before))
    rows = [
        {**row, "at": org_clock.from_wall(row["at"])} if row["type"] == "transaction" else dict(row) for row in records
    ]
    rows.sort(key=lambda row: (row["type"], row["id"] or ""))
    rows.sort(key=lambda row: row["at"], reverse=True)
    return rows[:size]


async def counts(connection: Connection, org_id: UUID) -> dict[str, int]:
    """Return the counts of an organisation's documents and transactions."""
    row = await connection.fetchrow(_SQL.counts, org_id)
    assert row is not None
    return dict(row)

"""The participants of a campaign, their progress, and the amounts that the campaign has paid."""

from typing import Any
from uuid import UUID

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

Row = dict[str, Any]


async def stats(connection: Connection, org_id: UUID, campaign_id: str) -> tuple[Row, list[Row]]:
    """Return a campaign's counts, and the amounts it has paid by metric."""
    counts = await connection.fetchrow(_SQL.stats, org_id, campaign_id)
    assert counts is not None
    paid = await connection.fetch(_SQL.paid, org_id, campaign_id)
    return dict(counts), [dict(row) for row in paid]


async def taking_part(connection: Connection, org_id: UUID, campaign_id: str, after: UUID, size: int) -> list[Row]:
    """Return a page of a campaign's participants."""
    return [dict(row) for row in await connection.fetch(_SQL.taking_part, org_id, campaign_id, after, size)]


async def leaderboard(connection: Connection, org_id: UUID, campaign_id: str, size: int) -> list[Row]:
    """Return the members who have completed the campaign most often."""
    return [dict(row) for row in await connection.fetch(_SQL.leaderboard, org_id, campaign_id, size)]

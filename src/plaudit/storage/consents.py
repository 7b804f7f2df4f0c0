"""Members' consents. Each change is a row of its own."""

from datetime import datetime
from uuid import UUID

from .postgres import Connection
from .queries import queries_beside

_SQL = queries_beside(__file__)


async def add_consent(
    connection: Connection,
    bucket: int,
    member_id: UUID,
    purpose: str,
    granted: bool,
    source: str | None,
    given_at: datetime,
    at: datetime,
    by: str,
) -> bool:
    """Record a consent. Return False if the member does not exist."""
    values = (bucket, member_id, purpose, granted, source, given_at, at, by)
    return await connection.fetchval(_SQL.add_consent, *values) is not None

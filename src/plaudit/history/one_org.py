"""Restricts a transaction to one organisation, so that checks for the whole database can run for it alone."""

from uuid import UUID

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)


async def see_only(connection: Connection, org_id: UUID) -> None:
    """Restrict all reads of the current transaction to one organisation. The caller must roll the transaction back."""
    await connection.execute(_SQL.name_org, str(org_id))
    await connection.execute(_SQL.only_org)

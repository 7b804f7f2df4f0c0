"""One organisation alone, as if there were no other: for checks that are written for the whole database."""

from uuid import UUID

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)


async def see_only(connection: Connection, org_id: UUID) -> None:
    """Narrow all that the connection's transaction reads to one organisation. It must be rolled back in the end."""
    await connection.execute(_SQL.name_org, str(org_id))
    await connection.execute(_SQL.only_org)

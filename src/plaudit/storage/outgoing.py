"""Messages to other systems that no decision brings with it: of documents that changed, of webhooks."""

from datetime import datetime
from uuid import UUID

from plaudit.core.ids import bucket_of_org

from .postgres import Connection
from .queries import queries_beside

SQL = queries_beside(__file__)


async def enqueue(
    connection: Connection, org_id: UUID, message_id: UUID, type: str, payload: str, at: datetime, only_to: str | None
) -> None:
    """Write a message, to all webhooks or `only_to` one."""
    await connection.execute(SQL.tell, bucket_of_org(org_id), org_id, message_id, type, payload, at, only_to, False)


async def tell_if_wanted(
    connection: Connection, org_id: UUID, message_id: UUID, type: str, payload: str, at: datetime
) -> None:
    """Write a message, unless no webhook wants its type."""
    await connection.execute(SQL.tell, bucket_of_org(org_id), org_id, message_id, type, payload, at, None, True)

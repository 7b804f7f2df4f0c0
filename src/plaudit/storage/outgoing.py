"""Messages to other systems that do not come from decisions: changed documents, and tests of webhooks."""

from datetime import datetime
from uuid import UUID

from plaudit.core.ids import bucket_of_org

from .postgres import Connection
from .queries import queries_beside

_SQL = queries_beside(__file__)


async def enqueue(
    connection: Connection, org_id: UUID, message_id: UUID, type: str, payload: str, at: datetime, only_to: str | None
) -> None:
    """Queue a message, for all webhooks or `only_to` one."""
    await connection.execute(_SQL.enqueue, bucket_of_org(org_id), org_id, message_id, type, payload, at, only_to, False)


async def enqueue_if_wanted(
    connection: Connection, org_id: UUID, message_id: UUID, type: str, payload: str, at: datetime
) -> None:
    """Queue a message if a webhook wants its type."""
    await connection.execute(_SQL.enqueue, bucket_of_org(org_id), org_id, message_id, type, payload, at, None, True)

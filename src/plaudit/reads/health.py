"""How the engine is doing."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)


class State(Struct, frozen=True):
    """Whether the server takes writes; workers alive, when the last was seen, and when the oldest of the events that wait came in."""

    writable: bool
    workers: int
    worker_seen_at: datetime | None
    oldest_waiting_at: datetime | None


async def state(connection: Connection) -> State:
    """How the engine is doing now."""
    row = await connection.fetchrow(SQL.state)
    assert row is not None
    return State(row["writable"], row["workers"], row["worker_seen_at"], row["oldest_waiting_at"])


async def waiting(connection: Connection, org_id: UUID) -> bool:
    """Whether anything of an organisation waits to be decided."""
    return await connection.fetchval(SQL.waiting, org_id)

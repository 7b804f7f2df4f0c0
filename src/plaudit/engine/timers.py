"""Find members with due timers but no waiting event. Each gets one arrival, a tick (see `arrival.timer_tick`)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from plaudit import clock
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .arrival import Arrival, timer_tick

_SQL = queries_beside(__file__)


async def fetch_due(connection: Connection, buckets: Sequence[int], size: int) -> list[Arrival]:
    """Return the ticks of up to `size` members of these buckets with due timers, earliest first."""
    rows = await connection.fetch(_SQL.due, buckets, size)
    at = clock.now()
    return [timer_tick(**row, at=at) for row in rows]


async def fetch_due_of_org(connection: Connection, org_id: UUID, now: datetime, size: int) -> list[Arrival]:
    """Return the ticks of up to `size` members of an organisation with timers due by `now`, earliest first."""
    rows = await connection.fetch(_SQL.due_of_org, org_id, now, size)
    at = clock.now()
    return [timer_tick(**row, now=now, at=at) for row in rows]

"""The state of the engine, and problems that an operator should fix."""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from plaudit.guard import NOT_CHORES, TRIES_MAX
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)


class EngineHealth(Struct, frozen=True):
    """Whether the database accepts writes, the number of running workers, and when the oldest waiting event arrived."""

    writable: bool
    workers: int
    worker_seen_at: datetime | None
    oldest_waiting_at: datetime | None


async def state(connection: Connection) -> EngineHealth:
    """Return the current state of the engine."""
    row = await connection.fetchrow(_SQL.state)
    assert row is not None
    return EngineHealth(row["writable"], row["workers"], row["worker_seen_at"], row["oldest_waiting_at"])


async def waiting(connection: Connection, org_id: UUID) -> bool:
    """Return whether an organisation has events that wait to be decided."""
    return await connection.fetchval(_SQL.waiting, org_id)


class Notice(Struct, frozen=True):
    """A problem that does no harm yet but will if nobody fixes it."""

    code: str
    message: str


async def fetch_months(connection: Connection) -> list[asyncpg.Record]:
    """Return the state of each table's monthly partitions.

    That is the number of rows outside of them, whether the current month has one, and how many exist for later months.
    """
    return await connection.fetch(_SQL.months)


async def warnings(connection: Connection) -> list[Notice]:
    """Return the problems that an operator should fix soon."""
    notices: list[Notice] = []
    for row in await fetch_months(connection):
        table = row["table"]
        if row["outside"]:
            notices.append(
                Notice(
                    "rows_outside_months",
                    f"{row['outside']} rows of {table} are outside all monthly partitions ({table}_rest)",
                )
            )
        if not row["present"]:
            notices.append(Notice("month_missing", f"{table} has no partition for the current month"))
        elif not row["ahead"]:
            notices.append(Notice("month_missing", f"{table} has no partition for the next month"))
    for row in await connection.fetch(_SQL.chores_left_out, NOT_CHORES, TRIES_MAX):
        message = (
            f"{row['documents']} of kind {row['kind']} are skipped for now (chore_failed or process_left in the log)"
        )
        notices.append(Notice("chore_left_out", message))
    return notices

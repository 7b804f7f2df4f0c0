"""The table of suspects: events and documents that a process was working on when it died or hung (see `plaudit.guard`)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from msgspec import Struct

from plaudit import clock
from plaudit.guard import TRIES_MAX, Suspect, in_hand, known

from .postgres import Connection, Pool
from .queries import queries_beside

_SQL = queries_beside(__file__)

log = structlog.get_logger(__name__)

KEPT = timedelta(days=1)
SUSPECTS_MAX = 10_000
ORG_STOPPED = timedelta(minutes=10)


class Noted(Struct, frozen=True):
    """A suspect to record. If `certain`, it is not tried again; otherwise once more."""

    suspect_id: UUID
    kind: str
    org_id: UUID | None = None
    member_id: UUID | None = None
    certain: bool = False


async def note(connection: Connection, suspects: Sequence[Noted], reason: str, at: datetime) -> dict[UUID, int]:
    """Record suspects. Return how often each has been recorded."""
    named = [_description(noted) for noted in suspects[:10]]
    log.error("process_left", reason=reason, suspect_count=len(suspects), suspects=named)
    await connection.execute(_SQL.forget, at - KEPT)
    distinct = {noted.suspect_id: noted for noted in suspects}.values()
    columns = (
        [noted.suspect_id for noted in distinct],
        [noted.kind for noted in distinct],
        [noted.org_id for noted in distinct],
        [noted.member_id for noted in distinct],
        [TRIES_MAX if noted.certain else 1 for noted in distinct],
    )
    rows = await connection.fetch(_SQL.note, *columns, reason, at)
    return {row["suspect_id"]: row["tries"] for row in rows}


def _description(noted: Noted) -> str:
    return f"{noted.kind} {noted.suspect_id}" + ("" if noted.org_id is None else f" of {noted.org_id}")


async def clear(connection: Connection, *suspect_ids: UUID) -> None:
    """Delete suspects that were harmless or are to be tried again, from the table and from this process's memory."""
    await connection.execute(_SQL.clear, suspect_ids)
    for suspect_id in suspect_ids:
        known.all.pop(suspect_id, None)


async def store_org(connection: Connection, event_id: UUID, org_id: UUID) -> None:
    """Store the organisation of a suspect event, which was not always known when it was recorded."""
    await connection.execute(_SQL.store_org, event_id, org_id)


async def learn(connection: Connection) -> None:
    """Load all suspects into this process."""
    rows = await connection.fetch(_SQL.all, SUSPECTS_MAX)
    known.learn((Suspect(**row) for row in rows), clock.now() - ORG_STOPPED)


async def note_what_was_done(pool: Pool) -> None:
    """Record what this process's predecessor was working on when it ended, and load all suspects."""
    left = in_hand.left()
    async with pool.acquire() as connection:
        if left is not None and left.doing is not None:
            doing = left.doing
            await note(
                connection, [Noted(doing.id, doing.kind, doing.org_id, certain=left.hung)], left.reason, clock.now()
            )
        await learn(connection)
    in_hand.forget()

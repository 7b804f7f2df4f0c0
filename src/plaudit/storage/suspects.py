"""The table of suspects: what a process was doing when it died or hung (see `plaudit.guard`)."""

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
    """A suspect to record. With `certain` it is not tried again; otherwise once more."""

    suspect_id: UUID
    kind: str
    org_id: UUID | None = None
    member_id: UUID | None = None
    certain: bool = False


async def note(connection: Connection, found: Sequence[Noted], reason: str, at: datetime) -> dict[UUID, int]:
    """Record suspects. Return how often each has been one."""
    named = [
        f"{noted.kind} {noted.suspect_id}" + ("" if noted.org_id is None else f" of {noted.org_id}")
        for noted in found[:10]
    ]
    log.error("process_left", reason=reason, suspect_count=len(found), suspects=named)
    await connection.execute(_SQL.forget, at - KEPT)
    once = {noted.suspect_id: noted for noted in found}.values()
    columns = (
        [noted.suspect_id for noted in once],
        [noted.kind for noted in once],
        [noted.org_id for noted in once],
        [noted.member_id for noted in once],
        [TRIES_MAX if noted.certain else 1 for noted in once],
    )
    rows = await connection.fetch(_SQL.note, *columns, reason, at)
    return {row["suspect_id"]: row["tries"] for row in rows}


async def clear(connection: Connection, *suspect_ids: UUID) -> None:
    """Delete suspects that were innocent, or are to be tried again, in this process too."""
    await connection.execute(_SQL.clear, suspect_ids)
    for suspect_id in suspect_ids:
        known.all.pop(suspect_id, None)


async def store_org(connection: Connection, event_id: UUID, org_id: UUID) -> None:
    """Store which organisation an event that is not tried again belongs to: that was not known of every suspect."""
    await connection.execute(_SQL.store_org, event_id, org_id)


async def learn(connection: Connection) -> None:
    """Load all suspects into this process."""
    rows = await connection.fetch(_SQL.all, SUSPECTS_MAX)
    known.learn((Suspect(**row) for row in rows), clock.now() - ORG_STOPPED)


async def note_what_was_done(pool: Pool) -> None:
    """Record what this process's predecessor was doing when it ended."""
    left = in_hand.left()
    async with pool.acquire() as connection:
        if left is not None and left.doing is not None:
            doing = left.doing
            await note(
                connection, [Noted(doing.id, doing.kind, doing.org_id, certain=left.hung)], left.reason, clock.now()
            )
        await learn(connection)
    in_hand.forget()

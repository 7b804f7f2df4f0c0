"""The same `process`, for callers who need the outcome at once: grants, profiles, `Prefer: wait`."""

import asyncio
from uuid import UUID

import asyncpg
from msgspec import Struct

from plaudit import clock
from plaudit.core.program import Program
from plaudit.storage.postgres import Pool, retried

from . import inbox
from .arrival import Arrival
from .outcome import Processed
from .process import is_seen, process


class InTimeOutcome(Struct, frozen=True):
    """What became of the event. `mismatched` has its id when the same key came with another content before."""

    processed: Processed
    mismatched: frozenset[UUID] = frozenset()


class RefusedError(Exception):
    """The decision was a refusal, and the caller wants nothing written then."""

    def __init__(self, processed: Processed) -> None:
        super().__init__(processed.state)
        self.processed = processed


async def process_inline(
    pool: Pool, program: Program, arrival: Arrival, *, seconds: float, whole: bool = False
) -> InTimeOutcome | None:
    """Process one event now. None when it takes longer than `seconds`: nothing has happened then, or all of it.

    In both cases the event can be put into the inbox: its id makes it count once. With `whole`, a refusal or a
    failure raises RefusedError and nothing is written.
    """
    try:
        return await asyncio.wait_for(_process(pool, program, arrival, whole=whole), seconds)
    except TimeoutError:
        return None


async def _process(pool: Pool, program: Program, arrival: Arrival, *, whole: bool) -> InTimeOutcome:
    async with pool.acquire() as connection:

        async def attempt() -> Processed:
            async with connection.transaction():
                done = await process(connection, {arrival.org_id: program}, [arrival], clock.now())
                (processed,) = (one for one in done if one.arrival.event_id == arrival.event_id)
                if whole and processed.state in ("rejected", "failed"):
                    raise RefusedError(processed)
                return processed

        try:
            processed = await retried(attempt)
        except asyncpg.UniqueViolationError as error:
            if not is_seen(error):
                raise
            processed = await retried(attempt)  # it is in the log now
        if processed.state != "duplicate":
            return InTimeOutcome(processed)
        rows = await connection.fetch(inbox.SQL.fingerprints, [arrival.event_id])
        differs = any(row["fingerprint"] != arrival.fingerprint for row in rows)
        return InTimeOutcome(processed, frozenset({arrival.event_id}) if differs else frozenset())

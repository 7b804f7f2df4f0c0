"""Process events immediately, for callers that need the outcome: grants, profiles, `Prefer: wait`."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
from msgspec import Struct

from plaudit import clock
from plaudit.core.program import Program
from plaudit.errors import PlauditError
from plaudit.guard import known
from plaudit.storage.postgres import Pool, with_retries

from . import inbox
from .arrival import Arrival
from .load import lock_buckets
from .process import is_duplicate, process
from .processed import ProcessedEvent
from .quarantine import what_stops, why_set_aside


class ImmediateResult(Struct, frozen=True):
    """The result of an event. `conflicting` contains its id if the key was used before with different content."""

    processed: ProcessedEvent
    conflicting: frozenset[UUID] = frozenset()


class CommandRefused(Exception):
    """The event was refused or failed, so nothing was written, as the caller asked."""

    def __init__(self, processed: ProcessedEvent) -> None:
        super().__init__(processed.state)
        self.processed = processed


async def process_inline(
    pool: Pool,
    program: Program,
    arrival: Arrival,
    *,
    seconds: float,
    whole: bool = False,
    also: Sequence[Arrival] = (),
    through: Sequence[int] = (),
) -> ImmediateResult | None:
    """Process one event now. Return None if it takes longer than `seconds`; then all of it was written, or nothing.

    In that case, the caller can append the event to the inbox, as its id makes it count once. With `whole`, a
    refusal or a failure raises CommandRefused, and nothing is written. `also` are related events of other members, which
    are written together with it or not at all. `through` are the buckets of the members for whom it causes events: these
    are processed with it.

    A suspect event, which may have stopped a process, is not processed here. It raises PlauditError with `whole`, and is
    left to a worker otherwise. Suspect events of the members in `through` are left to a worker, too.
    """
    if known.all and not _may_be_tried([arrival, *also], whole=whole):
        return None
    try:
        return await asyncio.wait_for(_process(pool, program, [arrival, *also], through, whole=whole), seconds)
    except TimeoutError:
        return None


def _may_be_tried(arrivals: Sequence[Arrival], *, whole: bool) -> bool:
    for arrival in arrivals:
        stopped = what_stops(arrival)
        if stopped is not None:
            raise PlauditError(why_set_aside(arrival, stopped), code="event_stopped")
        suspect = known.all.get(arrival.event_id)
        if suspect is None:
            continue
        if whole:
            raise PlauditError(f"It is not retried: when it was decided, {suspect.reason}", code="event_stopped")
        return False
    return True


async def _process(
    pool: Pool, program: Program, arrivals: Sequence[Arrival], through: Sequence[int], *, whole: bool
) -> ImmediateResult:
    arrival = arrivals[0]
    programmes = {arrival.org_id: program}
    async with pool.acquire() as connection:

        async def attempt() -> ProcessedEvent:
            async with connection.transaction():
                if through:  # all at the same time, in the order in which all transactions lock them
                    await lock_buckets(connection, {arrival.bucket, *through})
                processed = await process(connection, programmes, arrivals, clock.now())
                required = {arrival.event_id for arrival in arrivals}
                main = next(event for event in processed if event.arrival.event_id == arrival.event_id)
                follow_ups = main.decision.follow_ups if through and main.decision is not None else []
                for bucket in sorted(set(through)) if follow_ups else ():
                    ids = [follow_up.event_id for follow_up in follow_ups if follow_up.event_id not in known.all]
                    queued = await inbox.fetch_waiting(connection, bucket, ids)
                    required |= {follow_up.event_id for follow_up in queued}
                    processed += await process(connection, programmes, queued, clock.now())
                for event in processed if whole else ():
                    if event.arrival.event_id in required and event.state in ("rejected", "failed"):
                        raise CommandRefused(event)
                return main

        try:
            processed = await with_retries(attempt)
        except asyncpg.UniqueViolationError as error:
            if not is_duplicate(error):
                raise
            processed = await with_retries(attempt)  # another transaction has decided the event meanwhile
        if processed.state != "duplicate":
            return ImmediateResult(processed)
        return ImmediateResult(processed, await inbox.mismatched(connection, [arrival]))

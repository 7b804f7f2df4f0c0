"""After a process has died or hung, its successor first handles the work that was in progress."""

from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.core.event import ACTION
from plaudit.guard import TRIES_MAX, Left, in_hand
from plaudit.storage.postgres import Connection, Pool, atomic
from plaudit.storage.suspects import Noted, learn, note

from . import inbox
from .arrival import TICK, Arrival
from .commit import set_aside
from .processed import ProcessedEvent


async def recover_from_predecessor(pool: Pool) -> None:
    """Record what this process's predecessor was working on, and set aside the event that certainly stopped it."""
    left = in_hand.left()
    async with pool.acquire() as connection:
        if left is not None:
            async with atomic(connection):
                await _recover(connection, left)
        await learn(connection)
    in_hand.forget()


async def _recover(connection: Connection, left: Left) -> None:
    at = clock.now()
    arrival = _arrival_in(left)
    tries = await note(connection, suspects_of(left, arrival), left.reason, at)
    if arrival is None:
        return
    if tries[arrival.event_id] >= TRIES_MAX:
        error = f"It was quarantined: while it was being decided, {left.reason}"
        await set_aside(connection, [ProcessedEvent(arrival=arrival, state="failed", error=error)], at)
    elif arrival.kind == ACTION and arrival.event_key is not None:
        await inbox.append(connection, [arrival])  # a worker decides it, and the sender can retry with the same key


def suspects_of(left: Left, arrival: Arrival | None) -> list[Noted]:
    """Return what may have stopped a process: its work at that moment, or else all events in progress."""
    if left.event_id is not None:
        if arrival is None:
            return [Noted(left.event_id, "event", certain=left.hung)]
        is_tick = arrival.kind == TICK
        member_id: UUID | None = arrival.member_id if is_tick else None
        kind = "tick" if is_tick else "event"
        return [Noted(left.event_id, kind, arrival.org_id, member_id, certain=left.hung)]
    if left.doing is not None:
        return [Noted(left.doing.id, left.doing.kind, left.doing.org_id, certain=left.hung)]
    return [Noted(id_, "event", certain=left.hung and len(left.in_hand) == 1) for id_ in left.in_hand]


def _arrival_in(left: Left) -> Arrival | None:
    if left.event_id is None or left.doing is None:
        return None
    return msgspec.json.decode(left.doing.given, type=Arrival | None)

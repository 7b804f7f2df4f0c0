"""What the log has of what a mechanic's document counts, when a member is looked at for a new or changed document.

Read under the lock of the member's bucket, so that nothing is missed.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from plaudit.core.commands.registry import needs_history
from plaudit.core.event import Event
from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.mechanics.base import Mechanic
from plaudit.mechanics.registry import MECHANICS
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .arrival import Arrival, Payload, logged
from .placement import placed_by_ledger

_SQL = queries_beside(__file__)

LOOK_SOURCE = "engine"  # of the events by which fills look at members


async def attach_past(
    connection: Connection,
    programmes: Mapping[UUID, Program],
    arrivals: Sequence[Arrival],
    members: Mapping[UUID, Member],
) -> list[Arrival]:
    """Return the arrivals, those that look at a member for a document with what the log has of what it counts.

    Their buckets are locked, and the members as of the log: what happens to one of them before the look, in the same
    batch, leads to another look.
    """
    arrivals = await _in_their_time(connection, arrivals, members)
    found: list[Arrival] = []
    for arrival in arrivals:
        mechanic = MECHANICS.get(arrival.kind)
        if mechanic is not None:
            key = programmes[arrival.org_id], members[arrival.member_id]
            found.append(await _with_past_events(connection, mechanic, arrival, *key))
        else:
            found.append(arrival)
    for org_id, program in programmes.items():
        own = {
            number: arrival
            for number, arrival in enumerate(found)
            if arrival.kind in MECHANICS and arrival.org_id == org_id
        }
        if own:
            placed = await placed_by_ledger(connection, program, list(own.values()), members)
            for number, arrival in zip(own, placed, strict=True):
                found[number] = arrival
    return found


async def _in_their_time(
    connection: Connection, arrivals: Sequence[Arrival], members: Mapping[UUID, Member]
) -> list[Arrival]:
    """Return the arrivals, the looks at members who are being imported as of their last event: no time passes by a look."""
    looks = {
        arrival.member_id: arrival.bucket
        for arrival in arrivals
        if arrival.source == LOOK_SOURCE and needs_history(arrival.kind)
    }
    rows = await connection.fetch(_SQL.being_imported, list(looks.values()), list(looks)) if looks else []
    held = {row["member_id"] for row in rows}

    def in_time(arrival: Arrival) -> Arrival:
        present = members[arrival.member_id].latest_at
        if arrival.source != LOOK_SOURCE or arrival.member_id not in held or present is None:
            return arrival
        return msgspec.structs.replace(arrival, occurred_at=min(arrival.occurred_at, present))

    return [in_time(arrival) for arrival in arrivals]


async def _with_past_events(
    connection: Connection, mechanic: Mechanic, arrival: Arrival, program: Program, member: Member
) -> Arrival:
    event = arrival.event()
    triggers = mechanic.triggers_of_past(program, event.data)
    if not triggers:
        return arrival
    past = await past_events(connection, {arrival.member_id: arrival.bucket}, triggers)
    counted = mechanic.counted_in_past(program, event.data, past.get(arrival.member_id, []), arrival.occurred_at)
    data = {**event.data, **counted, "sequence": member.sequence}
    payload = msgspec.json.encode(Payload(data, event.metadata)).decode()
    return msgspec.structs.replace(arrival, payload=payload)


async def past_events(
    connection: Connection, keys: Mapping[UUID, int], triggers: Sequence[str]
) -> dict[UUID, list[Event]]:
    """The events of these kinds that members (with their buckets) have in the log, in their order."""
    found: dict[UUID, list[Event]] = {}
    if triggers:
        rows = await connection.fetch(_SQL.events_of_members, list(keys.values()), list(keys), triggers)
        for row in rows:
            found.setdefault(row["member_id"], []).append(logged(dict(row)).event())
    return found

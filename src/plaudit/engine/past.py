"""Attach past events to the arrivals that evaluate members for a new or changed document of a mechanic.

Documents also count a member's past. Its events are read under the lock of the member's bucket, so none is missed.
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

FILL_SOURCE = "engine"  # the source of events that evaluate members when a document is filled


async def attach_past(
    connection: Connection,
    programmes: Mapping[UUID, Program],
    arrivals: Sequence[Arrival],
    members: Mapping[UUID, Member],
) -> list[Arrival]:
    """Return the arrivals. Those that evaluate a member for a document get the past events that the document counts.

    Buckets must be locked, and the members loaded. If an earlier event of the same batch changes a member, the member is
    evaluated again later.
    """
    arrivals = await _in_members_time(connection, arrivals, members)
    results: list[Arrival] = []
    for arrival in arrivals:
        mechanic = MECHANICS.get(arrival.kind)
        if mechanic is not None:
            key = programmes[arrival.org_id], members[arrival.member_id]
            results.append(await _with_past_events(connection, mechanic, arrival, *key))
        else:
            results.append(arrival)
    for org_id, program in programmes.items():
        of_org = {
            index: arrival
            for index, arrival in enumerate(results)
            if arrival.kind in MECHANICS and arrival.org_id == org_id
        }
        if of_org:
            placed = await placed_by_ledger(connection, program, list(of_org.values()), members)
            for index, arrival in zip(of_org, placed, strict=True):
                results[index] = arrival
    return results


async def _in_members_time(
    connection: Connection, arrivals: Sequence[Arrival], members: Mapping[UUID, Member]
) -> list[Arrival]:
    """Return the arrivals. Members who are being imported are evaluated as of their last event.

    Otherwise, an evaluation would let time pass for a member whose next event lies in the past.
    """
    evaluated = {
        arrival.member_id: arrival.bucket
        for arrival in arrivals
        if arrival.source == FILL_SOURCE and needs_history(arrival.kind)
    }
    keys = list(evaluated.values()), list(evaluated)
    rows = await connection.fetch(_SQL.being_imported, *keys) if evaluated else []
    being_imported = {row["member_id"] for row in rows}

    def in_time(arrival: Arrival) -> Arrival:
        latest_at = members[arrival.member_id].latest_at
        if arrival.source != FILL_SOURCE or arrival.member_id not in being_imported or latest_at is None:
            return arrival
        return msgspec.structs.replace(arrival, occurred_at=min(arrival.occurred_at, latest_at))

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
    """Return the processed events with these triggers in the log of members (with their buckets), in order."""
    events: dict[UUID, list[Event]] = {}
    if triggers:
        rows = await connection.fetch(_SQL.events_of_members, list(keys.values()), list(keys), triggers)
        for row in rows:
            events.setdefault(row["member_id"], []).append(logged(dict(row)).event())
    return events

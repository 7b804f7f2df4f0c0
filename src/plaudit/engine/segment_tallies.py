"""What the criteria of segments count of members' events in the log, when a member is looked at for a segment.

Read under the lock of the member's bucket, so that nothing is missed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from plaudit.core.commands.registry import needs_history
from plaudit.core.conditions import ALWAYS
from plaudit.core.context import Context
from plaudit.core.event import SEGMENT, Event
from plaudit.core.fields import Scope
from plaudit.core.formulas.budget import Budget
from plaudit.core.formulas.limits import EVENT_STEPS_MAX
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.member import Member, SegmentState
from plaudit.core.metrics import to_scaled
from plaudit.core.periods import local_day
from plaudit.core.program import EventTally, Program, Segment
from plaudit.core.segments import add_to_tally, is_member
from plaudit.mechanics.registry import MECHANICS
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .arrival import Arrival, Payload, logged
from .placement import placed_by_ledger

SQL = queries_beside(__file__)

PAST_STEPS_MAX = 4 * EVENT_STEPS_MAX  # of the conditions of one segment, on the whole past of one member
LOOK_SOURCE = "engine"  # of the events by which fills look at members


async def attach_past(
    connection: Connection,
    programmes: Mapping[UUID, Program],
    arrivals: Sequence[Arrival],
    members: Mapping[UUID, Member],
) -> list[Arrival]:
    """The arrivals, those that look at a segment or a mechanic's document with what the log has of what it counts.

    Their buckets are locked, and the members as of the log: what happens to one of them before the look, in the same
    batch, leads to another look.
    """
    arrivals = await _in_their_time(connection, arrivals, members)
    found: list[Arrival] = []
    for arrival in arrivals:
        if arrival.kind == SEGMENT:
            found.append(
                await _attach_tallies(connection, programmes[arrival.org_id], arrival, members[arrival.member_id])
            )
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
    rows = await connection.fetch(SQL.being_imported, list(looks.values()), list(looks)) if looks else []
    held = {row["member_id"] for row in rows}

    def in_time(arrival: Arrival) -> Arrival:
        present = members[arrival.member_id].latest_at
        if arrival.source != LOOK_SOURCE or arrival.member_id not in held or present is None:
            return arrival
        return msgspec.structs.replace(arrival, occurred_at=min(arrival.occurred_at, present))

    return [in_time(arrival) for arrival in arrivals]


async def _attach_tallies(connection: Connection, program: Program, arrival: Arrival, member: Member) -> Arrival:
    event = arrival.event()
    segment = program.segments.get(str(event.data.get("segmentId")))
    if segment is None or event.data.get("byHand"):
        return arrival
    triggers = triggers_of(segment)
    if not triggers:
        return arrival
    past = await past_events(connection, {arrival.member_id: arrival.bucket}, triggers)
    tallies = tallied_from(program, segment, past.get(arrival.member_id, []), arrival.occurred_at)
    data = {**event.data, "tallies": tallies, "sequence": member.sequence}
    payload = msgspec.json.encode(Payload(data, event.metadata)).decode()
    return msgspec.structs.replace(arrival, payload=payload)


def triggers_of(segment: Segment) -> list[str]:
    """The kinds of events that a segment counts."""
    return sorted(
        {criterion.tally.trigger for criterion in (*segment.include, *segment.exclude) if criterion.tally is not None}
    )


async def past_events(connection: Connection, keys: Mapping[UUID, int], triggers: list[str]) -> dict[UUID, list[Event]]:
    """The events of these kinds that members (with their buckets) have in the log, in their order."""
    found: dict[UUID, list[Event]] = {}
    if triggers:
        rows = await connection.fetch(SQL.events_of_members, list(keys.values()), list(keys), triggers)
        for row in rows:
            found.setdefault(row["member_id"], []).append(logged(dict(row)).event())
    return found


def tallied_from(program: Program, segment: Segment, past: Sequence[Event], now: datetime) -> dict[str, dict[int, int]]:
    """What the criteria of a segment count in these events."""
    zone = program.settings.time_zone
    today = local_day(now, zone).toordinal()
    found: dict[str, dict[int, int]] = {}
    budget = Budget(PAST_STEPS_MAX)
    for criterion in (*segment.include, *segment.exclude):
        wanted = criterion.tally
        if wanted is None:
            continue
        counts: dict[int, int] = {}
        for event in past:
            amount = _counted(program, wanted, event, budget)
            if amount is not None:
                day = local_day(event.occurred_at, zone).toordinal()
                counts = add_to_tally(wanted, counts, day, amount, today)
        found[criterion.key] = counts
    return found


def _counted(program: Program, wanted: EventTally, event: Event, budget: Budget) -> int | None:
    """What an event of the past counts. Conditions see it as it was; the member, as nobody in particular."""
    if event.trigger != wanted.trigger:
        return None
    member = Member(member_id=event.member_id, user_id=event.user_id)
    scope = Scope(event, member, program.metrics, program.mechanics, program.products, budget)
    if wanted.condition is not ALWAYS and not wanted.condition.holds(scope, []):
        return None
    if wanted.get is None:
        return 1
    return to_scaled(wanted.get(scope), SUM_DECIMALS)


def would_be_in(
    program: Program,
    segment: Segment,
    member: Member,
    state: SegmentState,
    tallies: dict[str, dict[int, int]],
    now: datetime,
) -> bool:
    """Whether a member would be in a segment, with what the past tallies up to. Changes nothing."""
    return is_member(evaluation_context(program, member, now), segment, msgspec.structs.replace(state, tallies=tallies))


def evaluation_context(program: Program, member: Member, now: datetime) -> Context:
    event = Event(
        event_id=member.member_id, member_id=member.member_id, user_id=member.user_id, kind=SEGMENT, trigger=SEGMENT,
        occurred_at=now,
    )  # fmt: skip
    return Context(program, member, event, frozenset())

"""A new or changed segment or ladder is filled with the members that there are, in the background and bucket by bucket.

    the document is saved ──► each member is looked at ──► for whom something changes: an event in the inbox ──► decided

Nothing is written past the log: who comes in or goes out does so by an event of their own. What it counts of the
past is read from the log when that event is decided, under the lock of its bucket, so that nothing is missed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.core.conditions import ALWAYS
from plaudit.core.deciding import Deciding
from plaudit.core.event import LADDER, SEGMENT, Event
from plaudit.core.fields import Scope
from plaudit.core.formulas.budget import Budget
from plaudit.core.formulas.limits import EVENT_STEPS_MAX
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.ids import BUCKET_COUNT
from plaudit.core.member import Member, SegmentState
from plaudit.core.metrics import round_half_up
from plaudit.core.periods import local_day
from plaudit.core.program import Ladder, Program, Segment, Tally
from plaudit.core.segments import NOT_IN, is_in, kept_counts
from plaudit.storage.postgres import Connection, Pool
from plaudit.storage.programs import Live, Programs
from plaudit.storage.queries import queries_beside

from . import inbox
from .arrival import Arrival, Payload, arrival_of, logged
from .chores import Chore, do
from .ladder_fills import SQL as PLACING
from .ladder_fills import placed_by_ledger
from .members import hold, load_members

SQL = queries_beside(__file__)

PAST_STEPS_MAX = 4 * EVENT_STEPS_MAX  # of the conditions of one segment, on the whole past of one member
CHUNK_MEMBERS = 1_000
_SOURCE = "engine"


class _Wanted(msgspec.Struct, frozen=True):
    """A document to be filled: `document_id` is its id, and `ordinal` tells it from others that have had it before."""

    chore: Chore
    document_id: str
    ordinal: int

    @property
    def is_ladder(self) -> bool:
        return self.chore.document_id != self.document_id

    def key_of(self, member: Member) -> str:
        """Return the key of the event by which a member is looked at: there is one for each version of a document."""
        return f"{self.chore.document_id}:{self.ordinal}:{self.chore.version}:{member.member_id}"


async def fill_once(pool: Pool, programs: Programs) -> bool:
    """Fill one bucket of one document, if there is one to fill. False when there is not, or another process does, or it raised."""
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(SQL.one_at_a_time):
            return False
        rows = [*await connection.fetch(SQL.to_fill), *await connection.fetch(SQL.ladders_to_fill)]
        found = [_Wanted(Chore("segment", *row[:3]), *row[3:]) for row in rows]
        wanted = next((one for one in found if not one.chore.is_left_out), None)
        if wanted is None:
            return False
        return bool(await do(connection, wanted.chore, _fill(connection, programs, wanted)))


async def _fill(connection: Connection, programs: Programs, wanted: _Wanted) -> bool:
    chore = wanted.chore
    key = chore.org_id, chore.document_id, chore.version
    bucket = await connection.fetchval(SQL.take_fill, *key)
    live = await programs.refresh(chore.org_id)
    looked_at = changed = 0
    if wanted.is_ladder:
        document = live.program.ladders.get(wanted.document_id)
        if document is not None:
            looked_at = changed = await _place_bucket(connection, live, document, wanted, bucket)
    else:
        document = live.program.segments.get(wanted.document_id)
        if document is not None:
            looked_at, changed = await _fill_bucket(connection, live, document, wanted, bucket)
    following = bucket + 1
    finished_at = live.now() if following == BUCKET_COUNT or document is None else None
    await connection.execute(SQL.fill_moved, *key, following % BUCKET_COUNT, looked_at, changed, finished_at)
    return True


async def _place_bucket(connection: Connection, live: Live, ladder: Ladder, wanted: _Wanted, bucket: int) -> int:
    """Have the members of a bucket placed on a ladder: all who have earned of its metric, or are on it."""
    looked_at = 0
    after = UUID(int=0)
    key = bucket, live.program.org_id
    now = live.now()
    while True:
        of = after, ladder.metric, ladder.ladder_id, CHUNK_MEMBERS
        rows = await connection.fetch(PLACING.members_to_place, *key, *of)
        if not rows:
            return looked_at
        there = await hold(connection, [row["member_id"] for row in rows])
        members = [
            Member(member_id=row["member_id"], user_id=row["user_id"]) for row in rows if row["member_id"] in there
        ]
        data = {"ladderId": ladder.ladder_id, "fill": True}
        if members:
            await inbox.append(connection, [_look(live, LADDER, data, wanted, one, now) for one in members])
        looked_at += len(rows)
        after = rows[-1]["member_id"]


async def _fill_bucket(
    connection: Connection, live: Live, segment: Segment, filled: _Wanted, bucket: int
) -> tuple[int, int]:
    looked_at = changed = 0
    after = UUID(int=0)
    triggers = triggers_of(segment)
    now = live.now()
    while True:
        org_id = live.program.org_id
        rows = await connection.fetch(SQL.members_of_bucket, bucket, org_id, after, CHUNK_MEMBERS)
        if not rows:
            return looked_at, changed
        users = {row["member_id"]: row["user_id"] for row in rows}
        members = await load_members(connection, dict.fromkeys(users, bucket), users)
        counting: set[UUID] = set()
        if triggers:
            found = await connection.fetch(SQL.members_with_events, bucket, list(users), triggers)
            counting = {row["member_id"] for row in found}
        wanted = [
            one
            for one in members.values()
            if one.member_id in counting or would_change(live.program, segment, one, now)
        ]
        there = await hold(connection, [one.member_id for one in wanted])
        wanted = [one for one in wanted if one.member_id in there]
        if wanted:
            data = {"segmentId": segment.segment_id}
            await inbox.append(connection, [_look(live, SEGMENT, data, filled, one, now) for one in wanted])
        looked_at += len(rows)
        changed += len(wanted)
        after = rows[-1]["member_id"]


def triggers_of(segment: Segment) -> list[str]:
    """The kinds of events that a segment counts."""
    return sorted({one.tally.trigger for one in (*segment.include, *segment.exclude) if one.tally is not None})


def would_change(program: Program, segment: Segment, member: Member, now: datetime) -> bool:
    """Whether a look at a member would take them in or out. (What is counted of events is not looked at.)"""
    state = member.segments.get(segment.segment_id, NOT_IN)
    return is_in(_looking(program, member, now), segment, state) != state.member


def would_be_in(
    program: Program,
    segment: Segment,
    member: Member,
    state: SegmentState,
    tallies: dict[str, dict[int, int]],
    now: datetime,
) -> bool:
    """Whether a member would be in a segment, with what the past tallies up to. Changes nothing."""
    return is_in(_looking(program, member, now), segment, msgspec.structs.replace(state, tallies=tallies))


async def past_of(connection: Connection, keys: Mapping[UUID, int], triggers: list[str]) -> dict[UUID, list[Event]]:
    """The events of these kinds that members (with their buckets) have in the log, in their order."""
    found: dict[UUID, list[Event]] = {}
    if triggers:
        rows = await connection.fetch(SQL.events_of_members, list(keys.values()), list(keys), triggers)
        for row in rows:
            found.setdefault(row["member_id"], []).append(logged(dict(row)).event())
    return found


def _looking(program: Program, member: Member, now: datetime) -> Deciding:
    event = Event(
        event_id=member.member_id, member_id=member.member_id, user_id=member.user_id, kind=SEGMENT, trigger=SEGMENT,
        occurred_at=now,
    )  # fmt: skip
    return Deciding(program, member, event, frozenset())


def _look(live: Live, kind: str, data: dict[str, Any], wanted: _Wanted, member: Member, now: datetime) -> Arrival:
    return arrival_of(
        org_id=live.program.org_id,
        user_id=member.user_id,
        kind=kind,
        trigger=kind,
        occurred_at=now,
        received_at=clock.now(),
        payload=Payload(data),
        source=_SOURCE,
        event_id=clock.new_id(),
        event_key=wanted.key_of(member),
    )


async def with_past(
    connection: Connection,
    programs: Mapping[UUID, Program],
    arrivals: Sequence[Arrival],
    members: Mapping[UUID, Member],
) -> list[Arrival]:
    """The arrivals, those that look at a segment or a ladder with what the log has of what it counts.

    Their buckets are locked, and the members as of the log: what happens to one of them before the look, in the same
    batch, leads to another look.
    """
    arrivals = await _in_their_time(connection, arrivals, members)
    found: list[Arrival] = []
    for one in arrivals:
        if one.kind == SEGMENT:
            found.append(await _with_tallies(connection, programs[one.org_id], one, members[one.member_id]))
        else:
            found.append(one)
    for org_id, program in programs.items():
        own = {number: one for number, one in enumerate(found) if one.kind == LADDER and one.org_id == org_id}
        if own:
            placed = await placed_by_ledger(connection, program, list(own.values()), members)
            for number, one in zip(own, placed, strict=True):
                found[number] = one
    return found


async def _in_their_time(
    connection: Connection, arrivals: Sequence[Arrival], members: Mapping[UUID, Member]
) -> list[Arrival]:
    """Return the arrivals, the looks at members who are being imported as of their last event: no time passes by a look."""
    looks = {one.member_id: one.bucket for one in arrivals if one.source == _SOURCE and one.kind in (SEGMENT, LADDER)}
    rows = await connection.fetch(SQL.being_imported, list(looks.values()), list(looks)) if looks else []
    held = {row["member_id"] for row in rows}

    def in_time(one: Arrival) -> Arrival:
        present = members[one.member_id].present
        if one.source != _SOURCE or one.member_id not in held or present is None:
            return one
        return msgspec.structs.replace(one, occurred_at=min(one.occurred_at, present))

    return [in_time(one) for one in arrivals]


async def _with_tallies(connection: Connection, program: Program, arrival: Arrival, member: Member) -> Arrival:
    event = arrival.event()
    segment = program.segments.get(str(event.data.get("segmentId")))
    if segment is None or event.data.get("byHand"):
        return arrival
    triggers = triggers_of(segment)
    if not triggers:
        return arrival
    past = await past_of(connection, {arrival.member_id: arrival.bucket}, triggers)
    tallies = tallied_from(program, segment, past.get(arrival.member_id, []), arrival.occurred_at)
    data = {**event.data, "tallies": tallies, "sequence": member.sequence}
    payload = msgspec.json.encode(Payload(data, event.metadata)).decode()
    return msgspec.structs.replace(arrival, payload=payload)


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
                counts = kept_counts(wanted, counts, day, amount, today)
        found[criterion.key] = counts
    return found


def _counted(program: Program, wanted: Tally, event: Event, budget: Budget) -> int | None:
    """What an event of the past counts. Conditions see it as it was; the member, as nobody in particular."""
    if event.trigger != wanted.trigger:
        return None
    member = Member(member_id=event.member_id, user_id=event.user_id)
    scope = Scope(event, member, program.metrics, program.ladders, program.products, budget)
    if wanted.condition is not ALWAYS and not wanted.condition.holds(scope, []):
        return None
    if wanted.get is None:
        return 1
    return round_half_up(wanted.get(scope), SUM_DECIMALS)

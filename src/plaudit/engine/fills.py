"""A new or changed segment is filled with the members that there are, in the background and bucket by bucket.

    the segment is saved ──► each member is looked at ──► for whom something changes: an event in the inbox ──► decided

Nothing is written past the log: who comes in or goes out does so by an event of their own. What a segment counts of the
past is read from the log when that event is decided, under the lock of its bucket, so that nothing is missed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.core.conditions import ALWAYS
from plaudit.core.deciding import Deciding
from plaudit.core.event import SEGMENT, Event
from plaudit.core.fields import Scope
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.ids import BUCKET_COUNT
from plaudit.core.member import Member, SegmentState
from plaudit.core.metrics import round_half_up
from plaudit.core.periods import local_day
from plaudit.core.program import Program, Segment, Tally
from plaudit.core.segments import NOT_IN, is_in, kept_counts
from plaudit.storage.postgres import Connection, Pool
from plaudit.storage.programs import Live, Programs
from plaudit.storage.queries import queries_beside

from . import inbox
from .arrival import Arrival, Payload, arrival_of
from .members import load_members

SQL = queries_beside(__file__)

CHUNK_MEMBERS = 1_000


async def fill_once(pool: Pool, programs: Programs) -> bool:
    """Fill one bucket of one segment, if there is one to fill. False when there is not, or another process does."""
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(SQL.one_at_a_time):
            return False
        fill = await connection.fetchrow(SQL.take_fill)
        if fill is None:
            return False
        live = await programs.refresh(fill["org_id"])
        segment = live.program.segments.get(fill["segment_id"])
        looked_at = changed = 0
        if segment is not None:
            looked_at, changed = await _fill_bucket(connection, live, segment, fill["version"], fill["bucket"])
        following = fill["bucket"] + 1
        finished_at = clock.now() if following == BUCKET_COUNT or segment is None else None
        key = fill["org_id"], fill["segment_id"], fill["version"]
        await connection.execute(SQL.fill_moved, *key, following % BUCKET_COUNT, looked_at, changed, finished_at)
        return True


async def _fill_bucket(
    connection: Connection, live: Live, segment: Segment, version: int, bucket: int
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
        if wanted:
            await inbox.append(connection, [_look(live, segment, version, one, now) for one in wanted])
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
            arrival = Arrival(**{name: row[name] for name in _ARRIVAL_FIELDS}, fingerprint=None)
            found.setdefault(row["member_id"], []).append(arrival.event())
    return found


def _looking(program: Program, member: Member, now: datetime) -> Deciding:
    event = Event(
        event_id=member.member_id, member_id=member.member_id, user_id=member.user_id, kind=SEGMENT, trigger=SEGMENT,
        occurred_at=now,
    )  # fmt: skip
    return Deciding(program, member, event, frozenset())


def _look(live: Live, segment: Segment, version: int, member: Member, now: datetime) -> Arrival:
    return arrival_of(
        org_id=live.program.org_id,
        user_id=member.user_id,
        kind=SEGMENT,
        trigger=SEGMENT,
        occurred_at=now,
        received_at=clock.now(),
        payload=Payload({"segmentId": segment.segment_id}),
        source="engine",
        event_id=clock.new_id(),
        event_key=f"segment:{segment.segment_id}:{version}:{member.member_id}",
    )


async def with_tallies(
    connection: Connection, programs: Mapping[UUID, Program], arrivals: Sequence[Arrival]
) -> list[Arrival]:
    """The arrivals, those that look at a segment with what the log has of what it counts. The bucket is locked."""
    return [
        await _with_tallies(connection, programs[one.org_id], one) if one.kind == SEGMENT else one for one in arrivals
    ]


async def _with_tallies(connection: Connection, program: Program, arrival: Arrival) -> Arrival:
    event = arrival.event()
    segment = program.segments.get(str(event.data.get("segmentId")))
    if segment is None or event.data.get("byHand"):
        return arrival
    triggers = triggers_of(segment)
    if not triggers:
        return arrival
    past = await past_of(connection, {arrival.member_id: arrival.bucket}, triggers)
    tallies = tallied_from(program, segment, past.get(arrival.member_id, []), arrival.occurred_at)
    data = {**event.data, "tallies": tallies}
    payload = msgspec.json.encode(Payload(data, event.metadata)).decode()
    return msgspec.structs.replace(arrival, payload=payload)


_ARRIVAL_FIELDS = (
    "bucket", "event_id", "event_key", "org_id", "member_id", "user_id", "kind", "trigger", "occurred_at",
    "received_at", "source", "payload",
)  # fmt: skip


def tallied_from(program: Program, segment: Segment, past: Sequence[Event], now: datetime) -> dict[str, dict[int, int]]:
    """What the criteria of a segment count in these events."""
    zone = program.settings.time_zone
    today = local_day(now, zone).toordinal()
    found: dict[str, dict[int, int]] = {}
    for criterion in (*segment.include, *segment.exclude):
        wanted = criterion.tally
        if wanted is None:
            continue
        counts: dict[int, int] = {}
        for event in past:
            amount = _counted(program, wanted, event)
            if amount is not None:
                day = local_day(event.occurred_at, zone).toordinal()
                counts = kept_counts(wanted, counts, day, amount, today)
        found[criterion.key] = counts
    return found


def _counted(program: Program, wanted: Tally, event: Event) -> int | None:
    """What an event of the past counts. Conditions see it as it was; the member, as nobody in particular."""
    if event.trigger != wanted.trigger:
        return None
    scope = Scope(event, Member(member_id=event.member_id, user_id=event.user_id), program.metrics, program.ladders)
    if wanted.condition is not ALWAYS and not wanted.condition.holds(scope, []):
        return None
    if wanted.get is None:
        return 1
    return round_half_up(wanted.get(scope), SUM_DECIMALS)

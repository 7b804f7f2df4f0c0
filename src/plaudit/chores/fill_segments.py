"""Fill new and changed segments with the existing members, in the background and bucket by bucket.

Documents of mechanics that place members by a metric are filled in the same way.

    a document is saved ──► every member is evaluated ──► an event in the inbox for each who changes ──► decided

Members only enter or leave through events of their own, so the log stays complete. The past events that count are
read from the log when that event is decided, under the lock of the bucket, so that none is missed.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.core.ids import BUCKET_COUNT
from plaudit.core.member import Member
from plaudit.engine import inbox
from plaudit.engine.arrival import Arrival, Payload, arrival_from_client
from plaudit.engine.members import hold, load_members
from plaudit.engine.past import FILL_SOURCE
from plaudit.mechanics.base import Mechanic
from plaudit.mechanics.registry import MECHANICS
from plaudit.mechanics.segments.commands import SEGMENT
from plaudit.mechanics.segments.compiled import Segment, segment_in
from plaudit.mechanics.segments.compiling import triggers_of
from plaudit.mechanics.segments.past import would_change
from plaudit.storage.postgres import Connection, Pool
from plaudit.storage.programmes import Programme, Programmes
from plaudit.storage.queries import queries_beside

from .pieces import Piece, attempt

_SQL = queries_beside(__file__)

CHORE = "fill_segments"

CHUNK_MEMBERS = 1_000


class _Fill(msgspec.Struct, frozen=True):
    """A document to fill. `ordinal` distinguishes it from earlier documents with the same id."""

    piece: Piece
    document_id: str
    ordinal: int

    @property
    def mechanic(self) -> Mechanic | None:
        """Return the document's mechanic, or None if it is a segment."""
        kind, _, document_id = self.piece.document_id.partition(":")
        return MECHANICS.get(kind) if document_id else None

    def key_of(self, member: Member) -> str:
        """Return the key of the event that evaluates a member. It differs for each version of a document."""
        return f"{self.piece.document_id}:{self.ordinal}:{self.piece.version}:{member.member_id}"


async def fill_next_bucket(pool: Pool, programmes: Programmes) -> bool:
    """Fill one bucket of one document. Return False if none needs filling, another process does it, or it failed."""
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(_SQL.one_at_a_time):
            return False
        rows = [*await connection.fetch(_SQL.to_fill), *await connection.fetch(_SQL.documents_to_fill)]
        fills = [_Fill(Piece(CHORE, "segment", *row[:3]), *row[3:]) for row in rows]
        fill = next((fill for fill in fills if not fill.piece.is_left_out), None)
        if fill is None:
            return False
        return bool(await attempt(connection, fill.piece, _run_fill(connection, programmes, fill)))


async def _run_fill(connection: Connection, programmes: Programmes, fill: _Fill) -> bool:
    piece = fill.piece
    key = piece.org_id, piece.document_id, piece.version
    bucket = await connection.fetchval(_SQL.take_fill, *key)
    programme = await programmes.refresh(piece.org_id)
    looked_at = changed = 0
    mechanic = fill.mechanic
    if mechanic is not None:
        document = programme.compiled.compiled(mechanic.kind, fill.document_id)
        metric_id = None if document is None else mechanic.metric_of(document)
        if metric_id is not None:
            looked_at = changed = await _place_bucket(connection, programme, mechanic, metric_id, fill, bucket)
    else:
        document = segment_in(programme.compiled, fill.document_id)
        if document is not None:
            looked_at, changed = await _fill_bucket(connection, programme, document, fill, bucket)
    following = bucket + 1
    finished_at = programme.now() if following == BUCKET_COUNT or document is None else None
    await connection.execute(_SQL.save_progress, *key, following % BUCKET_COUNT, looked_at, changed, finished_at)
    return True


async def _place_bucket(
    connection: Connection, programme: Programme, mechanic: Mechanic, metric_id: str, fill: _Fill, bucket: int
) -> int:
    """Queue an event for each member of a bucket who has a balance of the document's metric, or a state of it."""
    looked_at = 0
    after = UUID(int=0)
    key = bucket, programme.compiled.org_id
    now = programme.now()
    while True:
        rows = await connection.fetch(
            _SQL.members_to_place, *key, after, metric_id, mechanic.kind, fill.document_id, CHUNK_MEMBERS
        )
        if not rows:
            return looked_at
        held = await hold(connection, [row["member_id"] for row in rows])
        members = [
            Member(member_id=row["member_id"], user_id=row["user_id"]) for row in rows if row["member_id"] in held
        ]
        data = {mechanic.document.id_field: fill.document_id, "fill": True}
        arrivals = [_evaluation_event(programme, mechanic.kind, data, fill, member, now) for member in members]
        if arrivals:
            await inbox.append(connection, arrivals)
        looked_at += len(rows)
        after = rows[-1]["member_id"]


async def _fill_bucket(
    connection: Connection, programme: Programme, segment: Segment, fill: _Fill, bucket: int
) -> tuple[int, int]:
    looked_at = changed = 0
    after = UUID(int=0)
    triggers = triggers_of(segment)
    now = programme.now()
    while True:
        org_id = programme.compiled.org_id
        rows = await connection.fetch(_SQL.members_of_bucket, bucket, org_id, after, CHUNK_MEMBERS)
        if not rows:
            return looked_at, changed
        users = {row["member_id"]: row["user_id"] for row in rows}
        members = await load_members(connection, dict.fromkeys(users, bucket), users)
        counting: set[UUID] = set()
        if triggers:
            with_events = await connection.fetch(_SQL.members_with_events, bucket, list(users), triggers)
            counting = {row["member_id"] for row in with_events}
        changing = [
            member
            for member in members.values()
            if member.member_id in counting or would_change(programme.compiled, segment, member, now)
        ]
        held = await hold(connection, [member.member_id for member in changing])
        changing = [member for member in changing if member.member_id in held]
        if changing:
            data = {"segmentId": segment.segment_id}
            await inbox.append(
                connection, [_evaluation_event(programme, SEGMENT, data, fill, member, now) for member in changing]
            )
        looked_at += len(rows)
        changed += len(changing)
        after = rows[-1]["member_id"]


def _evaluation_event(
    programme: Programme, kind: str, data: dict[str, Any], fill: _Fill, member: Member, now: datetime
) -> Arrival:
    return arrival_from_client(
        org_id=programme.compiled.org_id,
        user_id=member.user_id,
        kind=kind,
        trigger=kind,
        occurred_at=now,
        received_at=clock.now(),
        payload=Payload(data),
        source=FILL_SOURCE,
        event_id=clock.new_uuid7(),
        event_key=fill.key_of(member),
    )

"""The members of a segment, the progress of filling it, and previews."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from plaudit.core.program import Program
from plaudit.engine.members import load_members
from plaudit.engine.past import past_events
from plaudit.mechanics.segments.compiled import Segment
from plaudit.mechanics.segments.compiling import triggers_of
from plaudit.mechanics.segments.past import tallied_from, would_be_in
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

PREVIEW_MEMBERS_MAX = 5_000
SAMPLE = 20


async def members(
    connection: Connection, org_id: UUID, segment_id: str, after: UUID, size: int
) -> list[Mapping[str, Any]]:
    """Return a page of a segment's members."""
    return [dict(row) for row in await connection.fetch(_SQL.members, org_id, segment_id, after, size)]


async def count_members(connection: Connection, org_id: UUID, segment_id: str) -> int:
    """Return how many members a segment has."""
    return await connection.fetchval(_SQL.count_members, org_id, segment_id)


async def fill(connection: Connection, org_id: UUID, segment_id: str) -> Mapping[str, Any] | None:
    """Return how far the filling of a segment is, or None if it has not started."""
    row = await connection.fetchrow(_SQL.fill, org_id, segment_id)
    return None if row is None else dict(row)


async def preview(connection: Connection, program: Program, segment: Segment, now: Any) -> tuple[int, int, list[str]]:
    """Evaluate a segment for some members. Return how many were evaluated, how many match, and some matching users."""
    rows = await connection.fetch(_SQL.some_members, program.org_id, PREVIEW_MEMBERS_MAX)
    keys = {row["member_id"]: row["bucket"] for row in rows}
    loaded = await load_members(connection, keys, {row["member_id"]: row["user_id"] for row in rows})
    past = await past_events(connection, keys, triggers_of(segment))
    inside: list[str] = []
    for member_id, member in loaded.items():
        tallies = tallied_from(program, segment, past.get(member_id, []), now)
        if would_be_in(program, segment, member, tallies, now):
            inside.append(member.user_id)
    return len(rows), len(inside), inside[:SAMPLE]

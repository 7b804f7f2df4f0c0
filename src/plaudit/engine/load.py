"""Load everything that a batch of events can touch, with a handful of queries: locks first, then one query per table.

Locks are taken in this order: buckets (ascending), then scarce resources (`engine/claims`). A bucket stays locked until
the commit. So two batches never decide for one member at the same time, and the log's positions become visible in their
order (docs/decisions/0008).
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from plaudit.core.commands.registry import COMMANDS, needs_history
from plaudit.core.event import ACTION
from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.storage.postgres import Connection, array_literal
from plaudit.storage.queries import queries_beside

from . import inbox
from .arrival import Arrival
from .members import all_parts, load_members
from .segment_tallies import attach_past

SQL = queries_beside(__file__)


class Batch(Struct, kw_only=True):
    """What `decide` and `commit` work on. `arrivals` are the arrivals to be decided, in their order."""

    arrivals: list[Arrival]
    duplicates: list[Arrival]  # decided before: their ids are in the log
    members: dict[UUID, Member]
    positions: dict[int, int]
    watched_buckets: frozenset[int] = frozenset()  # buckets with an open live stream


async def load(
    connection: Connection, programmes: Mapping[UUID, Program], arrivals: Sequence[Arrival], *, unseen: bool = False
) -> Batch:
    """Lock the buckets of `arrivals`, take these out of the inbox, and load their members.

    `unseen`: none of them is known to have been decided, so the log is not queried for duplicates; its key finds any.
    """
    buckets = sorted({arrival.bucket for arrival in arrivals})
    rows = await connection.fetch(SQL.lock_buckets, buckets)
    positions = {row["bucket"]: row["position"] for row in rows}
    there = await _remove_from_inbox(connection, arrivals)
    decided: set[UUID] = set()
    if not unseen:
        found = await connection.fetch(SQL.decided_before, array_literal(arrival.event_id for arrival in there))
        decided = {row["event_id"] for row in found}
    fresh, again = _split_duplicates(there, decided)
    kinds = {arrival.kind for arrival in fresh}
    needs = _needs(programmes.values(), kinds)
    keys = {arrival.member_id: arrival.bucket for arrival in fresh}
    users = {arrival.member_id: arrival.user_id for arrival in fresh}
    members = await load_members(connection, keys, users, needs)
    if any(map(needs_history, kinds)):
        fresh = await attach_past(connection, programmes, fresh, members)
    watched = frozenset(row["bucket"] for row in rows if row["watched"])
    return Batch(arrivals=fresh, duplicates=again, members=members, positions=positions, watched_buckets=watched)


def _needs(programmes: Iterable[Program], kinds: Iterable[str]) -> frozenset[str]:
    """Return the parts of members that events of these kinds may touch: what their programmes say, and their commands."""
    needs = {part for program in programmes for part in program.needs}
    for kind in kinds:
        command = COMMANDS.get(kind)
        if command is not None and command.needs is not None:
            needs.update(command.needs)
        elif kind != ACTION:
            return all_parts()
    return frozenset(needs)


async def take_out(connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Take arrivals out of the inbox, to set them aside. Return those that nobody else has taken or decided."""
    await connection.fetch(SQL.lock_buckets, sorted({arrival.bucket for arrival in arrivals}))
    there = await _remove_from_inbox(connection, arrivals)
    rows = await connection.fetch(SQL.decided_before, array_literal(arrival.event_id for arrival in there))
    return _split_duplicates(there, {row["event_id"] for row in rows})[0]


async def _remove_from_inbox(connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Return the arrivals that no other worker has taken: a lease can expire while its holder is slow."""
    waiting = [arrival for arrival in arrivals if arrival.inbox_id is not None]
    if not waiting:
        return list(arrivals)
    buckets = array_literal([arrival.bucket for arrival in waiting])
    ids = array_literal([arrival.inbox_id or 0 for arrival in waiting])
    there = await connection.fetchval(inbox.SQL.remove, buckets, ids, len(waiting))
    if there is None:
        return list(arrivals)
    removed = set(there)
    return [arrival for arrival in arrivals if arrival.inbox_id is None or arrival.inbox_id in removed]


def _split_duplicates(arrivals: Sequence[Arrival], decided: set[UUID]) -> tuple[list[Arrival], list[Arrival]]:
    """Return the arrivals to decide, and those that were decided before or are in this batch twice."""
    if not decided and len({arrival.event_id for arrival in arrivals}) == len(arrivals):  # nearly always
        return list(arrivals), []
    seen = set(decided)
    fresh: list[Arrival] = []
    again: list[Arrival] = []
    for arrival in arrivals:
        (again if arrival.event_id in seen else fresh).append(arrival)
        seen.add(arrival.event_id)
    return fresh, again

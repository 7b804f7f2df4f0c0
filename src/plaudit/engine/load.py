"""Load all data that a batch of events can need: take the locks first, then run one query per table.

Locks are taken in this order: buckets (ascending), then scarce resources (`engine/claims`). A bucket stays locked until
the commit. So two batches never decide for one member at the same time, and the log's positions become visible in order
(docs/decisions/0008).
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
from .past import attach_past

_SQL = queries_beside(__file__)


class Batch(Struct, kw_only=True):
    """The loaded data of a batch. `arrivals` are the arrivals to decide, in order."""

    arrivals: list[Arrival]
    duplicates: list[Arrival]  # decided before: their ids are in the log
    members: dict[UUID, Member]
    positions: dict[int, int]
    watched_buckets: frozenset[int] = frozenset()  # buckets with an open live stream


class LockedBuckets(Struct, frozen=True):
    """Locked buckets: the last position of each bucket's log, and the buckets with an open live stream."""

    positions: dict[int, int]
    watched: frozenset[int]


async def load(
    connection: Connection,
    programmes: Mapping[UUID, Program],
    arrivals: Sequence[Arrival],
    *,
    skip_duplicate_check: bool = False,
) -> Batch:
    """Lock the buckets of `arrivals`, remove these from the inbox, and load their members.

    With `skip_duplicate_check`, the log is not queried for duplicates. Its key still refuses them at commit.
    """
    locked = await lock_buckets(connection, (arrival.bucket for arrival in arrivals))
    removed = await inbox.remove(connection, arrivals)
    decided: set[UUID] = set()
    if not skip_duplicate_check:
        rows = await connection.fetch(_SQL.decided_before, array_literal(arrival.event_id for arrival in removed))
        decided = {row["event_id"] for row in rows}
    to_decide, duplicates = _split_duplicates(removed, decided)
    kinds = {arrival.kind for arrival in to_decide}
    needs = _needs(programmes.values(), kinds)
    keys = {arrival.member_id: arrival.bucket for arrival in to_decide}
    users = {arrival.member_id: arrival.user_id for arrival in to_decide}
    members = await load_members(connection, keys, users, needs)
    if any(map(needs_history, kinds)):
        to_decide = await attach_past(connection, programmes, to_decide, members)
    return Batch(
        arrivals=to_decide,
        duplicates=duplicates,
        members=members,
        positions=locked.positions,
        watched_buckets=locked.watched,
    )


async def lock_buckets(connection: Connection, buckets: Iterable[int]) -> LockedBuckets:
    """Lock buckets until the transaction ends, in ascending order, as all transactions do."""
    rows = await connection.fetch(_SQL.lock_buckets, sorted(set(buckets)))
    positions = {row["bucket"]: row["position"] for row in rows}
    return LockedBuckets(positions, frozenset(row["bucket"] for row in rows if row["watched"]))


def _needs(programmes: Iterable[Program], kinds: Iterable[str]) -> frozenset[str]:
    """Return the parts of members that events of these kinds can need: by the programmes, and by the kinds' commands."""
    needs = {part for program in programmes for part in program.needs}
    for kind in kinds:
        command = COMMANDS.get(kind)
        if command is not None and command.needs is not None:
            needs.update(command.needs)
        elif kind != ACTION:
            return all_parts()
    return frozenset(needs)


async def take_out(connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Remove arrivals from the inbox, to set them aside. Return those that were still there and not decided before."""
    await lock_buckets(connection, (arrival.bucket for arrival in arrivals))
    removed = await inbox.remove(connection, arrivals)
    rows = await connection.fetch(_SQL.decided_before, array_literal(arrival.event_id for arrival in removed))
    return _split_duplicates(removed, {row["event_id"] for row in rows})[0]


def _split_duplicates(arrivals: Sequence[Arrival], decided: set[UUID]) -> tuple[list[Arrival], list[Arrival]]:
    """Return the arrivals to decide, and the duplicates: those decided before, and repetitions in this batch."""
    if not decided and len({arrival.event_id for arrival in arrivals}) == len(arrivals):  # nearly always
        return list(arrivals), []
    seen = set(decided)
    to_decide: list[Arrival] = []
    duplicates: list[Arrival] = []
    for arrival in arrivals:
        (duplicates if arrival.event_id in seen else to_decide).append(arrival)
        seen.add(arrival.event_id)
    return to_decide, duplicates

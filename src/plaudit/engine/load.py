"""Everything that a batch of events touches, in a handful of queries: locks first, then one query a table.

The order of locks is this file's: buckets (ascending), then what is scarce (`engine/claims`). A bucket's lock is held
to the commit, so two batches never meet on one member, and the numbers that the log gives out become visible in their
order (docs/decisions/0008).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.event import ACTION
from plaudit.core.lots import Book
from plaudit.core.member import STATES, Balance, Holding, Member
from plaudit.core.program import Program
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from . import inbox
from .arrival import Arrival

SQL = queries_beside(__file__)

ALL_PARTS = frozenset({"holdings", "coupons", "entries"})

_BOOK = msgspec.json.Decoder(Book)
# The kinds of small documents in `progress`: the member's field that they are loaded into, and their decoder.
_STATES: dict[str, tuple[str, msgspec.json.Decoder[Any]]] = {
    kind: (part, msgspec.json.Decoder(of)) for kind, (part, of) in STATES.items()
}
_ATTRIBUTES = msgspec.json.Decoder(dict[str, object])


class Batch(Struct, kw_only=True):
    """What `decide` and `commit` work on. `fresh` are the arrivals to be decided, in their order."""

    fresh: list[Arrival]
    again: list[Arrival]  # decided before: their ids are in the log
    members: dict[UUID, Member]
    positions: dict[int, int]


async def load(connection: Connection, programs: Mapping[UUID, Program], arrivals: Sequence[Arrival]) -> Batch:
    """Lock the buckets of `arrivals`, take these out of the inbox, and load their members."""
    buckets = sorted({one.bucket for one in arrivals})
    rows = await connection.fetch(SQL.lock_buckets, buckets)
    positions = {row["bucket"]: row["position"] for row in rows}
    there = await _taken_out(connection, arrivals)
    decided = await connection.fetch(SQL.decided_before, [one.event_id for one in there])
    fresh, again = _told_apart(there, {row["event_id"] for row in decided})
    members = await _members(connection, programs, fresh)
    return Batch(fresh=fresh, again=again, members=members, positions=positions)


async def _taken_out(connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Those that nobody else has taken meanwhile: a lease may have moved on while its holder was slow."""
    waiting = [one for one in arrivals if one.inbox_id is not None]
    if not waiting:
        return list(arrivals)
    rows = await connection.fetch(inbox.SQL.remove, [one.bucket for one in waiting], [one.inbox_id for one in waiting])
    if len(rows) == len(waiting):
        return list(arrivals)
    there = {row["inbox_id"] for row in rows}
    return [one for one in arrivals if one.inbox_id is None or one.inbox_id in there]


def _told_apart(arrivals: Iterable[Arrival], decided: set[UUID]) -> tuple[list[Arrival], list[Arrival]]:
    """The arrivals to decide, and those whose event has been decided, or comes twice in this very batch."""
    seen = set(decided)
    fresh: list[Arrival] = []
    again: list[Arrival] = []
    for one in arrivals:
        (again if one.event_id in seen else fresh).append(one)
        seen.add(one.event_id)
    return fresh, again


async def _members(
    connection: Connection, programs: Mapping[UUID, Program], arrivals: Sequence[Arrival]
) -> dict[UUID, Member]:
    """The members concerned, with the parts that their programmes may touch."""
    keys = {one.member_id: one.bucket for one in arrivals}
    users = {one.member_id: one.user_id for one in arrivals}
    orgs = {one.org_id for one in arrivals}
    needs = frozenset(part for org_id in orgs for part in programs[org_id].needs)
    everything = any(one.kind != ACTION for one in arrivals)
    return await load_members(connection, keys, users, ALL_PARTS if everything else needs)


async def load_members(
    connection: Connection,
    keys: Mapping[UUID, int],
    users: Mapping[UUID, str],
    needs: frozenset[str] = ALL_PARTS,
) -> dict[UUID, Member]:
    """The members of these ids (with their buckets), whether they have joined or not; `needs` names the parts."""
    members = {one: Member(member_id=one, user_id=users[one]) for one in keys}
    wanted = (list(keys.values()), list(keys))
    for row in await connection.fetch(SQL.members, *wanted):
        member = members[row["member_id"]]
        member.enrolled_at = row["enrolled_at"]
        member.present = row["present"]
        member.sequence = row["sequence"]
        member.due_at = row["due_at"]
        member.attributes = _ATTRIBUTES.decode(row["attributes"])
    for member_id, metric, amount, earned, book in await connection.fetch(SQL.balances, *wanted):
        members[member_id].balances[metric] = Balance(amount, earned, None if book is None else _BOOK.decode(book))
    for member_id, kind, key, state in await connection.fetch(SQL.progress, *wanted):
        part, decoder = _STATES[kind]
        getattr(members[member_id], part)[key] = decoder.decode(state)
    if "holdings" in needs:
        for row in await connection.fetch(SQL.holdings, *wanted):
            holding = Holding(row["quantity"], row["first_at"], row["last_at"])
            members[row["member_id"]].holdings[row["product_id"]] = holding
    if "coupons" in needs:
        for row in await connection.fetch(SQL.coupons, *wanted):
            members[row["member_id"]].coupons[row["origin_id"]] = row["had"]
    if "entries" in needs:
        for row in await connection.fetch(SQL.entries, *wanted):
            members[row["member_id"]].entries[row["competition_id"]] = row["entries"]
    return members

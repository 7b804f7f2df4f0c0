"""Members, with everything that deciding may look at, out of their rows: one query a table."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from plaudit.core.lots import Book
from plaudit.core.member import STATES, Balance, Holding, Member, Standing
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)

ALL_PARTS = frozenset({"holdings", "coupons", "entries", "standings"})

_BOOK = msgspec.json.Decoder(Book)
# The kinds of small documents in `progress`: the member's field that they are loaded into, and their decoder.
_STATES: dict[str, tuple[str, msgspec.json.Decoder[Any]]] = {
    kind: (part, msgspec.json.Decoder(of)) for kind, (part, of) in STATES.items()
}
_ATTRIBUTES = msgspec.json.Decoder(dict[str, object])


async def load_members(
    connection: Connection,
    keys: Mapping[UUID, int],
    users: Mapping[UUID, str],
    needs: frozenset[str] = ALL_PARTS,
) -> dict[UUID, Member]:
    """The members of these ids (with their buckets), whether they have joined or not; `needs` names the parts."""
    members = {one: Member(member_id=one, user_id=users[one]) for one in keys}
    there = await connection.fetch(SQL.members, list(keys.values()), list(keys))
    # Who has not joined has nothing else either.
    wanted = ([keys[row["member_id"]] for row in there], [row["member_id"] for row in there])
    if not there:
        return members
    for row in there:
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
    if "standings" in needs:
        for member_id, competition_id, *standing in await connection.fetch(SQL.standings, *wanted):
            members[member_id].standings[competition_id] = Standing(*standing)
    return members

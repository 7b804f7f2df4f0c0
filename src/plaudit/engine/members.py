"""Members with everything that a decision may read, loaded with one query per table."""

from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec

from plaudit.core.ids import bucket_of
from plaudit.core.ledger.lots import Book
from plaudit.core.member import STATE_KINDS, STATE_TABLES, Balance, Holding, Member, state_decoder, states_of
from plaudit.storage.postgres import Connection, array_literal
from plaudit.storage.queries import queries_beside

from .tables import SELECT_BALANCES, SELECT_HOLDINGS, SELECT_PROGRESS, query_of_states

_SQL = queries_beside(__file__)

_BOOK = msgspec.json.Decoder(Book)
_ATTRIBUTES = msgspec.json.Decoder(dict[str, object])


def all_parts() -> frozenset[str]:
    """Return the parts of members that are loaded only if they are needed."""
    return frozenset({"holdings", "coupons", *STATE_TABLES})


async def load_members(
    connection: Connection,
    keys: Mapping[UUID, int],
    users: Mapping[UUID, str],
    needs: frozenset[str] | None = None,
) -> dict[UUID, Member]:
    """Return the members of these ids (with their buckets), enrolled or not. `needs` names the parts to load (None: all)."""
    needs = all_parts() if needs is None else needs
    found = {id_: Member(member_id=id_, user_id=users[id_]) for id_ in keys}
    members = list(found.values())
    wanted = array_literal(keys.values()), array_literal(keys)
    there = await connection.fetch(_SQL.members, *wanted)
    number: int  # of a member in the list, from 1
    for number, attributes, enrolled_at, present, active_at, sequence, due_at, merged_into in there:
        member = members[number - 1]
        member.enrolled_at = enrolled_at
        member.latest_at = present
        member.active_at = active_at
        member.sequence = sequence
        member.due_at = due_at
        member.merged_into = merged_into
        member.attributes = _ATTRIBUTES.decode(attributes)
    if not there:
        return found
    if len(there) < len(members):  # members who have not enrolled have no other rows
        members = [members[int(row["number"]) - 1] for row in there]
        wanted = (
            array_literal(keys[member.member_id] for member in members),
            array_literal(member.member_id for member in members),
        )
    for number, metric, amount, earned, book in await connection.fetch(SELECT_BALANCES, *wanted):
        members[number - 1].balances[metric] = Balance(amount, earned, None if book is None else _BOOK.decode(book))
    for number, kind, key, state in await connection.fetch(SELECT_PROGRESS, *wanted):
        if kind in STATE_KINDS:  # states of other kinds stay as they are, and `verify` reports them
            states_of(members[number - 1], kind)[key] = state_decoder(kind).decode(state)
    if "holdings" in needs:
        for number, product_id, *holding in await connection.fetch(SELECT_HOLDINGS, *wanted):
            members[number - 1].holdings[product_id] = Holding(*holding)
    if "coupons" in needs:
        for number, origin_id, had in await connection.fetch(_SQL.coupons, *wanted):
            members[number - 1].coupons[origin_id] = had
    for name, table in STATE_TABLES.items():
        if name in needs:
            for number, key, *row in await connection.fetch(query_of_states(table), *wanted):
                states = states_of(members[number - 1], table.kind)
                states[key] = table.put(states.get(key), table.type(*row))
    return found


async def hold(connection: Connection, member_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of these members who have not been erased, and prevent their erasure until the transaction ends."""
    wanted = list(member_ids)
    rows = await connection.fetch(_SQL.hold, sorted({bucket_of(id_) for id_ in wanted}), wanted)
    return {row["member_id"] for row in rows}

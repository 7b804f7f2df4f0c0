"""Load members with all data that a decision can read, with one query per table."""

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
    """Return members by their ids, enrolled or not. `keys` has their buckets, `users` their user ids.

    `needs` names the parts to load (None: all).
    """
    needs = all_parts() if needs is None else needs
    by_id = {id_: Member(member_id=id_, user_id=users[id_]) for id_ in keys}
    members = list(by_id.values())
    parameters = array_literal(keys.values()), array_literal(keys)
    rows = await connection.fetch(_SQL.members, *parameters)
    number: int  # the member's index in the list, from 1
    for number, attributes, enrolled_at, latest_at, active_at, sequence, due_at, merged_into in rows:
        member = members[number - 1]
        member.enrolled_at = enrolled_at
        member.latest_at = latest_at
        member.active_at = active_at
        member.sequence = sequence
        member.due_at = due_at
        member.merged_into = merged_into
        member.attributes = _ATTRIBUTES.decode(attributes)
    if not rows:
        return by_id
    if len(rows) < len(members):  # members who have not enrolled have no other rows
        members = [members[int(row["number"]) - 1] for row in rows]
        parameters = (
            array_literal(keys[member.member_id] for member in members),
            array_literal(member.member_id for member in members),
        )
    for number, metric, amount, earned, book in await connection.fetch(SELECT_BALANCES, *parameters):
        members[number - 1].balances[metric] = Balance(amount, earned, None if book is None else _BOOK.decode(book))
    for number, kind, key, state in await connection.fetch(SELECT_PROGRESS, *parameters):
        if kind in STATE_KINDS:  # states of other kinds stay as they are, and `verify` reports them
            states_of(members[number - 1], kind)[key] = state_decoder(kind).decode(state)
    if "holdings" in needs:
        for number, product_id, *holding in await connection.fetch(SELECT_HOLDINGS, *parameters):
            members[number - 1].holdings[product_id] = Holding(*holding)
    if "coupons" in needs:
        for number, origin_id, count in await connection.fetch(_SQL.coupons, *parameters):
            members[number - 1].coupons[origin_id] = count
    for name, table in STATE_TABLES.items():
        if name in needs:
            for number, key, *values in await connection.fetch(query_of_states(table), *parameters):
                states = states_of(members[number - 1], table.kind)
                states[key] = table.put(states.get(key), table.type(*values))
    return by_id


async def hold(connection: Connection, member_ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these members have not been erased, and prevent their erasure until the transaction ends."""
    ids = list(member_ids)
    rows = await connection.fetch(_SQL.hold, sorted({bucket_of(id_) for id_ in ids}), ids)
    return {row["member_id"] for row in rows}

"""Finds members by other names: an e-mail address, a phone number, or a field that is unique in the profile schema."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from plaudit.core.identities import KINDS, candidates
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)


async def users_known_as(
    connection: Connection, org_id: UUID, texts: Iterable[str], unique: Sequence[str] = ()
) -> dict[str, str]:
    """Return the user ids of the members who have these texts as identities of one of the `unique` kinds."""
    names = {text: candidates(text) for text in texts}
    kinds = [kind for name in names.values() for kind, _ in name]
    values = [value for name in names.values() for _, value in name]
    rows = await connection.fetch(
        _SQL.users_known_as, org_id, kinds, values, [name for name in unique if name not in KINDS]
    )
    users: dict[str, str] = {}
    order = {kind: place for place, kind in enumerate((*KINDS, *unique))}
    for row in sorted(rows, key=lambda row: order.get(row["kind"], 0)):  # of two fields, the first
        users.setdefault(row["value"], row["user_id"])
    return {text: users[value] for text, name in names.items() for _, value in name if value in users}


async def users_called(
    connection: Connection, org_id: UUID, names: Iterable[str], unique: Sequence[str] = ()
) -> dict[str, str]:
    """Return the user ids for those of these names that are no user ids themselves, but another name of a member.

    A user id means the member with that id, even if another member has the same name.
    """
    known = await users_known_as(connection, org_id, names, unique)
    if not known:
        return known
    there = await existing_members(connection, org_id, known)
    return {name: user_id for name, user_id in known.items() if name not in there}


async def who_goes_on(connection: Connection, org_id: UUID, user_ids: Iterable[str]) -> dict[str, str]:
    """Return, for those of these users who have been merged, the user that each was merged into."""
    found: dict[str, str] = {}
    now = {user_id: user_id for user_id in user_ids}
    while now:  # a remaining member can have been merged in turn
        ids = [member_id_of(org_id, key) for key in set(now.values())]
        rows = await connection.fetch(_SQL.merged, [bucket_of(id_) for id_ in ids], ids)
        into: dict[str, str] = {row["user_id"]: row["merged_into"] for row in rows}
        now: dict[str, str] = {name: into[value] for name, value in now.items() if value in into}
        found |= now
    return found


async def remaining_users(connection: Connection, org_id: UUID, user_id: str) -> list[str]:
    """Return the user that a user was merged into, then the one that this user was merged into, and so on."""
    found: list[str] = []
    while True:
        member_id = member_id_of(org_id, found[-1] if found else user_id)
        into = await connection.fetchrow(_SQL.merged, [bucket_of(member_id)], [member_id])
        if into is None:
            return found
        found.append(into["merged_into"])


async def existing_members(connection: Connection, org_id: UUID, user_ids: Iterable[str]) -> set[str]:
    """Return those of these users who exist."""
    ids = [member_id_of(org_id, user_id) for user_id in user_ids]
    rows = await connection.fetch(_SQL.existing_members, [bucket_of(id_) for id_ in ids], ids)
    return {row["user_id"] for row in rows}


def may_be_another_name(name: str, unique: Sequence[str]) -> bool:
    """Return whether a user id may be another name, and is worth a query."""
    return "@" in name or name.startswith("+") or len(unique) > len(KINDS)

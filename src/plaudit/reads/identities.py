"""Find members by identities: an e-mail address, a phone number, or a unique field of the profile schema."""

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
    """Return the user ids of the members who have these strings as identities of one of the `unique` kinds."""
    names = {text: candidates(text) for text in texts}
    kinds = [kind for name in names.values() for kind, _ in name]
    values = [value for name in names.values() for _, value in name]
    rows = await connection.fetch(
        _SQL.users_known_as, org_id, kinds, values, [name for name in unique if name not in KINDS]
    )
    users: dict[str, str] = {}
    order = {kind: index for index, kind in enumerate((*KINDS, *unique))}
    for row in sorted(rows, key=lambda row: order.get(row["kind"], 0)):  # if several kinds match, the first one counts
        users.setdefault(row["value"], row["user_id"])
    return {text: users[value] for text, name in names.items() for _, value in name if value in users}


async def users_called(
    connection: Connection, org_id: UUID, names: Iterable[str], unique: Sequence[str] = ()
) -> dict[str, str]:
    """Return the user ids of the members with these names as identities. Leave out names that are user ids themselves.

    A user id always means the member with that id, even if it is also another member's identity.
    """
    known = await users_known_as(connection, org_id, names, unique)
    if not known:
        return known
    existing = await existing_members(connection, org_id, known)
    return {name: user_id for name, user_id in known.items() if name not in existing}


async def merge_targets(connection: Connection, org_id: UUID, user_ids: Iterable[str]) -> dict[str, str]:
    """Return the remaining member's user id for each of these users who was merged into another member."""
    remaining: dict[str, str] = {}
    current = {user_id: user_id for user_id in user_ids}
    while current:  # the member that a user was merged into can have been merged in turn
        ids = [member_id_of(org_id, user_id) for user_id in set(current.values())]
        rows = await connection.fetch(_SQL.merged, [bucket_of(id_) for id_ in ids], ids)
        into: dict[str, str] = {row["user_id"]: row["merged_into"] for row in rows}
        current: dict[str, str] = {name: into[user_id] for name, user_id in current.items() if user_id in into}
        remaining |= current
    return remaining


async def remaining_users(connection: Connection, org_id: UUID, user_id: str) -> list[str]:
    """Return the user that a user was merged into, then the one that this user was merged into, and so on."""
    chain: list[str] = []
    while True:
        member_id = member_id_of(org_id, chain[-1] if chain else user_id)
        into = await connection.fetchrow(_SQL.merged, [bucket_of(member_id)], [member_id])
        if into is None:
            return chain
        chain.append(into["merged_into"])


async def existing_members(connection: Connection, org_id: UUID, user_ids: Iterable[str]) -> set[str]:
    """Return which of these users exist."""
    ids = [member_id_of(org_id, user_id) for user_id in user_ids]
    rows = await connection.fetch(_SQL.existing_members, [bucket_of(id_) for id_ in ids], ids)
    return {row["user_id"] for row in rows}


def may_be_another_name(name: str, unique: Sequence[str]) -> bool:
    """Return whether a user id may be an identity of a member, and is worth a query."""
    return "@" in name or name.startswith("+") or len(unique) > len(KINDS)

"""Resolve the names of members, for all endpoints: in paths, in bodies and in actions.

A user id names its member. An e-mail address, a phone number or a unique field names the member who has it, unless it
is a user id itself. The name of a member who was merged into another names the remaining member.
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from plaudit.core.identities import EMAIL, PHONE, normalise
from plaudit.errors import FieldError, invalid_fields
from plaudit.reads.identities import may_be_another_name, merge_targets, users_called, users_known_as
from plaudit.storage.postgres import Connection, Pool
from plaudit.storage.programmes import Programme

from .action import Action


async def resolve_users(connection: Connection, programme: Programme, names: Collection[str]) -> dict[str, str]:
    """Return the user ids that these names stand for. Names that are user ids themselves are left out."""
    org_id, unique = programme.compiled.org_id, programme.profiles.unique
    others = [name for name in names if may_be_another_name(name, unique)]
    called = await users_called(connection, org_id, others, unique) if others else {}
    merged = await merge_targets(connection, org_id, {called.get(name, name) for name in names})
    meant = {name: merged.get(called.get(name, name), called.get(name, name)) for name in names}
    return {name: user_id for name, user_id in meant.items() if user_id != name}


async def remaining_user(connection: Connection, org_id: UUID, user_id: str) -> str:
    """Return the user id of the remaining member: the user's own, unless they were merged into another."""
    return (await merge_targets(connection, org_id, [user_id])).get(user_id, user_id)


class KnownUsers(Struct, frozen=True):
    """User ids by the names that actions have for their users: `called` for user ids, `reached` for addresses."""

    called: Mapping[str, str]
    reached: Mapping[str, str]


_NOBODY = KnownUsers({}, {})


async def known_users(pool: Pool, programme: Programme, actions: Sequence[Action]) -> KnownUsers:
    """Look up the names that actions have for their users."""
    unique = programme.profiles.unique
    ids = {
        action.user_id
        for action in actions
        if action.user_id is not None and may_be_another_name(action.user_id, unique)
    }
    addresses = {
        name
        for action in actions
        if action.user_id is None
        for name in (action.email, action.phone)
        if name is not None
    }
    if not ids and not addresses:
        return _NOBODY
    async with pool.acquire() as connection:
        called = await users_called(connection, programme.compiled.org_id, ids, unique) if ids else {}
        reached = await users_known_as(connection, programme.compiled.org_id, addresses) if addresses else {}
    return KnownUsers(called, reached)


def user_among(action: Action, known: KnownUsers) -> str:
    """Return the user id of an action's user: as named, or by an address. Raise Invalid if the action names nobody."""
    if action.user_id is not None:
        return known.called.get(action.user_id, action.user_id)
    for name in (action.email, action.phone):
        if name is not None and name in known.reached:
            return known.reached[name]
    return name_of_user(action)


def name_of_user(action: Action) -> str:
    """Return the name that the sender has for the user, normalised. Raise Invalid if the action names nobody."""
    if action.user_id is not None:
        return action.user_id
    if action.email is not None:
        return normalise(EMAIL, action.email) or action.email
    if action.phone is not None:
        return normalise(PHONE, action.phone) or action.phone
    raise invalid_fields([FieldError("userId", "is missing")])

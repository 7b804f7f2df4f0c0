"""Read and write a member's profile, for any caller."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import asyncpg

from plaudit.api.http.operations import Call
from plaudit.api.run_command import run_command
from plaudit.api.views.base import OpenObject
from plaudit.api.views.member_progress import profile_source
from plaudit.api.views.profiles import profile_view
from plaudit.core.event import PROFILE
from plaudit.documents.profile import ProfileUpdate
from plaudit.errors import Conflict, FieldError, NotFound, invalid_fields
from plaudit.mechanics.registry import MECHANICS
from plaudit.reads import members


async def fetch_profile(call: Call, user_id: str) -> OpenObject:
    """Return a member's profile. Raise NotFound if there is no such member."""
    programme = await call.programme()
    view = await _fetch_member(call, user_id)
    return profile_view(programme, view)


async def fetch_state(call: Call, kind: str, document_id: str) -> Any:
    """Return the view of a member's state in a mechanic's document. Raise NotFound."""
    programme = await call.programme()
    view = await _fetch_member(call, call.path["userId"])
    member = profile_source(programme.compiled, view).member
    return MECHANICS[kind].view(programme.compiled, member, document_id, programme.now())


async def _fetch_member(call: Call, user_id: str) -> members.MemberView:
    async with call.connection() as connection:
        view = await members.fetch_member(connection, call.org_id, user_id)
    if view is None:
        raise NotFound("User not found", code="user_not_found")
    return view


def object_in(body: Any) -> dict[str, Any]:
    """Return a copy of a body that must be an object. Raise Invalid."""
    if not isinstance(body, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    return dict(body)  # pyright: ignore[reportUnknownArgumentType]


async def write_profile(call: Call, user_id: str, update: ProfileUpdate) -> OpenObject:
    """Store a valid update of a member's profile. Return the profile."""
    data = {"attributes": update.attributes, "identities": update.names}
    with identity_conflicts():
        await run_command(call, kind=PROFILE, trigger="profile.set", user_id=user_id, data=data)
    return await fetch_profile(call, user_id)


# In PostgreSQL's detail, the kind: "Key (org_id, kind, value)=(…, email, …) already exists."
_TAKEN = re.compile(r"=\([^,]+, ([^,]+), ")


@contextmanager
def identity_conflicts() -> Generator[None]:
    """Raise Conflict, which names the field, if an e-mail address, phone number or unique field is another user's."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.table_name != "identities":
            raise
        field = _TAKEN.search(error.detail or "")
        raise Conflict(
            "Another user already has this e-mail address, phone number or unique field",
            code="identity_taken",
            fields=[FieldError(field[1], "already belongs to another user")] if field else [],
        ) from None

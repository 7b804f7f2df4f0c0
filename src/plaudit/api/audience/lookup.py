"""Find a member by user id, e-mail address, phone number or unique field."""

from plaudit.api.http.operations import Call, Operation
from plaudit.api.views.base import OpenObject
from plaudit.api.views.member_api import UserLookup
from plaudit.api.views.profiles import with_written
from plaudit.errors import NotFound
from plaudit.ingest.members import resolve_users
from plaudit.reads import members


async def look_up(call: Call) -> OpenObject:
    """Return the user with this id, address or number. The response has no envelope, as documented."""
    name = call.path["name"]
    programme = await call.programme()
    async with call.connection() as connection:
        user_ids = await resolve_users(connection, programme, [name])
        view = await members.fetch_member(connection, call.org_id, user_ids.get(name, name))
    if view is None:
        raise NotFound("User not found", code="user_not_found")
    names = {row["kind"]: row["value"] for row in view.parts["identities"]}
    return with_written(UserLookup, view.attributes | names, user_id=view.user_id)


OPERATIONS = [
    Operation(
        name="lookUpUser",
        method="GET",
        path="/api/audience/{name}",
        summary="Find a user by id, e-mail address or phone number",
        run=look_up,
        scope="members:read",
        tag="Audience API",
        response=UserLookup,
        enveloped=False,
        errors=(400, 404),
    )
]

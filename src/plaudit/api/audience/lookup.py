"""A member by any name: user id, e-mail address or phone number."""

from plaudit.api.http.operations import Call, Operation
from plaudit.api.views.base import OpenObject
from plaudit.api.views.member_api import UserLookup
from plaudit.errors import NotFound
from plaudit.reads import members
from plaudit.reads.identities import users_called, who_goes_on


async def look_up(call: Call) -> OpenObject:
    """Who that is. A bare object, as the documents show it."""
    name = call.path["name"]
    programme = await call.programme()
    async with call.connection() as connection:
        known = await users_called(connection, call.org_id, [name], programme.profiles.unique)
        user_id = known.get(name, name)
        now = await who_goes_on(connection, call.org_id, [user_id])
        view = await members.fetch_member(connection, call.org_id, now.get(user_id, user_id))
    if view is None:
        raise NotFound("User not found", code="user_not_found")
    names = {row["kind"]: row["value"] for row in view.parts["identities"]}
    return OpenObject(UserLookup(user_id=view.user_id), view.attributes | names)


OPERATIONS = [
    Operation(
        name="lookUpUser",
        method="GET",
        path="/api/audience/{name}",
        summary="Find a user by id, e-mail address or phone number",
        run=look_up,
        scope="members:read",
        tag="Audience API",
        answer=UserLookup,
        enveloped=False,
        errors=(400, 404),
    )
]

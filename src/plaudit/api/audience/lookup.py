"""A member by any name: user id, e-mail address or phone number."""

from plaudit.api.operations import Call, Operation
from plaudit.api.outside import Json
from plaudit.api.schemas import TEXT, object_of
from plaudit.errors import NotFound
from plaudit.reads import members
from plaudit.reads.identities import users_known_as


async def look_up(call: Call) -> Json:
    """Who that is. A bare object, as the documents show it."""
    name = call.path["name"]
    live = await call.services.programs.live(call.org_id)
    async with call.services.pool.acquire() as connection:
        known = await users_known_as(connection, call.org_id, [name], live.profiles.unique)
        view = await members.one(connection, call.org_id, known.get(name, name))
    if view is None:
        raise NotFound("User not found", code="user_not_found")
    names = {row["kind"]: row["value"] for row in view.parts["identities"]}
    return {**view.attributes, **names, "userId": view.user_id}


OPERATIONS = [
    Operation(
        method="GET",
        path="/api/audience/{name}",
        summary="A member by user id, e-mail address or phone number",
        run=look_up,
        scope="members:read",
        tag="Audience",
        answer=object_of({"userId": TEXT}),
        enveloped=False,
        errors=(400, 404),
    )
]

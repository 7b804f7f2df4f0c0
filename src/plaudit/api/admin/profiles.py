"""Members' profiles for administrators. Every change of a profile is an event in the log."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from plaudit import bounds
from plaudit.api.http.operations import PAGING, Call, Operation
from plaudit.api.http.read_only import writable
from plaudit.api.http.wire import Json
from plaudit.api.shared.profiles import fetch_profile, object_in, write_profile
from plaudit.api.views.base import OpenObject, Page, to_builtins
from plaudit.api.views.profiles import Profile, ProfileList, profile_view
from plaudit.core.profile_fields import KEPT_BY_ENGINE
from plaudit.documents.lenient import id_text
from plaudit.documents.profile import CUSTOM, ProfileUpdate, validate_update
from plaudit.errors import Conflict, FieldError, invalid_fields
from plaudit.reads import members

FILTERS_MAX = 10


async def get_profile(call: Call) -> OpenObject:
    """Return a member's profile."""
    return await fetch_profile(call, call.path["userId"])


async def list_profiles(call: Call) -> Page:
    """Return members' profiles, in order of enrolment."""
    programme = await call.programme()
    filters = {name: value for name, value in call.query.items() if name not in ("limit", "cursor")}
    if len(filters) > FILTERS_MAX:
        raise invalid_fields([FieldError("", f"may be filtered by at most {FILTERS_MAX} fields")])
    unknown = [name for name in filters if not programme.profiles.may_have(name)]
    if unknown:
        raise invalid_fields([FieldError(name, "is not a field of the profile schema") for name in unknown])
    first = (datetime(1, 1, 2, tzinfo=UTC), UUID(int=0))
    page = call.page(tuple[datetime, UUID], first)
    async with call.connection() as connection:
        views = await members.fetch_page(connection, call.org_id, page.start, page.limit, filters)
    views, cursor = page.cut(views, lambda view: (view.enrolled_at, view.member_id))
    return ProfileList.of([profile_view(programme, view) for view in views], cursor=cursor)


async def create_profile(call: Call) -> OpenObject:
    """Create a member with a profile."""
    body = object_in(call.body)
    user_id = user_id_in(body)
    update = await _validated(call, body, new=True)
    async with call.connection() as connection:
        if await members.fetch_member(connection, call.org_id, user_id) is not None:
            raise Conflict("User with this ID already exists", code="already_exists")
    return await write_profile(call, user_id, update)


async def update_profile(call: Call) -> OpenObject:
    """Update the given fields of a member's profile; null removes a field."""
    body = object_in(call.body)
    user_id = call.path["userId"]
    if id_text(body.get("userId", user_id)) != user_id:
        raise invalid_fields([FieldError("userId", "cannot be changed")])
    old: Json = to_builtins(await fetch_profile(call, user_id))
    body = writable(body, old, KEPT_BY_ENGINE)
    if isinstance(body.get(CUSTOM), dict):  # shown in two places: apply the one that differs
        old_custom: Json = old[CUSTOM]
        body[CUSTOM] = {
            name: value for name, value in body[CUSTOM].items() if name not in old_custom or old_custom[name] != value
        }
    return await write_profile(call, user_id, await _validated(call, body, new=False))


def user_id_in(body: dict[str, Any]) -> str:
    """Return the user id of a new profile. Raise Invalid if it is missing or malformed."""
    user_id = id_text(body.get("userId"))
    if user_id is None:
        raise invalid_fields([FieldError("userId", "is missing")])
    message = bounds.wrong_id(user_id) if isinstance(user_id, str) else "must be a string"
    if message is not None:
        raise invalid_fields([FieldError("userId", message)])
    return str(user_id)


async def _validated(call: Call, body: dict[str, Any], *, new: bool) -> ProfileUpdate:
    rules = (await call.programme()).profiles
    update, wrong = validate_update(rules, body, new=new)
    if wrong:
        raise invalid_fields(wrong)
    return update


_PLAIN = {"type": "object"}

OPERATIONS = [
    Operation(
        name="listProfiles", method="GET", path="/v1/profiles", summary="List or search profiles", description=(
            "In the order of enrolment. Any other query parameter is a profile field that must have that "
            "value."
        ), run=list_profiles,
        scope="members:read", tag="Profiles", response=ProfileList, query=PAGING,
        any_field=True, errors=(400,),
    ),
    Operation(
        name="createProfile", method="POST", path="/v1/profiles", summary="Create a profile, enrolling the member",
        run=create_profile, scope="members:write", tag="Profiles", body=_PLAIN, response=Profile, status=201,
        errors=(400, 409, 413),
    ),
    Operation(
        name="getProfile", method="GET", path="/v1/profiles/{userId}", summary="Get a profile",
        run=get_profile, scope="members:read", tag="Profiles", response=Profile, errors=(400, 404),
    ),
    Operation(
        name="updateProfile", method="PUT", path="/v1/profiles/{userId}", summary="Update a profile",
        run=update_profile, scope="members:write", tag="Profiles", body=_PLAIN, response=Profile,
        errors=(400, 404, 409, 413),
    ),
]  # fmt: skip

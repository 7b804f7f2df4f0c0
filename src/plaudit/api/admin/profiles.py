"""Members as administrators see them. A change of a profile is an event like any other."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from plaudit import bounds
from plaudit.api.http.operations import PAGING, Call, Operation
from plaudit.api.http.read_only import writable
from plaudit.api.http.schemas import NUMBER, OBJECT, OBJECTS, TEXT, TIME, object_of, page_schema
from plaudit.api.http.wire import Json, optional_time, time_text
from plaudit.api.run_command import run_command
from plaudit.api.views.coupon import worth_of
from plaudit.api.views.member_progress import mechanics_view, profile_source
from plaudit.core.event import PROFILE
from plaudit.core.ledger import lots
from plaudit.core.ledger.lots import Book
from plaudit.core.metrics import Metric, to_number
from plaudit.core.profile_fields import KEPT_BY_ENGINE, badges_of, computed_fields
from plaudit.documents.as_meant import id_text
from plaudit.documents.profile import CUSTOM, ProfileUpdate, validate_update
from plaudit.errors import Conflict, FieldError, NotFound, invalid_fields
from plaudit.reads import members
from plaudit.reads.members import MemberView
from plaudit.storage.programmes import Programme

FILTERS_MAX = 10


def member_view(programme: Programme, view: MemberView) -> Json:
    """A member as a profile."""
    program, now = programme.compiled, programme.now()
    metrics: Json = {}
    balances = {row["metric"]: row for row in view.parts["balances"]}
    for metric_id, metric in program.metrics.items():
        row = balances.get(metric_id)
        balance = metric.default if row is None else row["amount"]
        earned = 0 if row is None else row["earned"]
        book = members.book_of(row)
        pending, held = lots.pending(book), lots.held(book)
        metrics[metric_id] = {
            "balance": to_number(balance, metric.decimals),
            "pending": to_number(pending, metric.decimals),
            "available": to_number(balance - pending - held, metric.decimals),
            "lifetime": to_number(earned, metric.decimals),
            "expiring": _expiring(metric, book),
        }
    inventory = [
        {
            "productId": row["product_id"],
            "name": product.name if (product := program.products.get(row["product_id"])) else None,
            "type": product.type if product else None,
            "quantity": row["quantity"],
            "receivedAt": time_text(row["first_at"]),
        }
        for row in view.parts["holdings"]
    ]
    shown = profile_source(program, view)
    computed = {"tier": None} | computed_fields(shown)
    return {
        **view.attributes,
        **{row["kind"]: row["value"] for row in view.parts["identities"]},
        CUSTOM: programme.profiles.custom_of(view.attributes),
        "orgId": str(program.org_id),
        "userId": view.user_id,
        **{name: time_text(value) if isinstance(value, datetime) else value for name, value in computed.items()},
        "transactionCount": sum(row["count"] for row in view.parts["transactions"]),
        "badges": badges_of(
            (row["product_id"] for row in view.parts["holdings"]), program.products
        ),  # the oldest first
        "metrics": metrics,
        "inventory": inventory,
        "coupons": [_coupon_view(programme, row) for row in view.parts["coupons"]],
        **mechanics_view(shown, now),
        "entries": {row["competition_id"]: row["entries"] for row in view.parts["entries"]},
    }


def _expiring(metric: Metric, book: Book) -> list[Json]:
    """What expires when, the soonest first."""
    amounts: dict[datetime, int] = {}
    for lot in book.lots:
        if lot.expires_at is not None:
            amounts[lot.expires_at] = amounts.get(lot.expires_at, 0) + lot.amount
    return [
        {"amount": to_number(amount, metric.decimals), "expiresAt": time_text(at)}
        for at, amount in sorted(amounts.items())
    ]


def _coupon_view(programme: Programme, row: dict[str, Any]) -> Json:
    return {
        "couponId": str(row["coupon_id"]),
        "code": row["code"],
        "status": row["state"] or "allocated",
        "origin": row["origin_id"],
        "codePoolId": row["pool_id"],
        "campaignId": row["campaign_id"],
        "issuedAt": time_text(row["issued_at"]),
        "expiresAt": optional_time(row["expires_at"]),
        "redeemedAt": optional_time(row["redeemed_at"]),
        "revokedAt": optional_time(row["revoked_at"]),
        **worth_of(programme, row["origin_id"], msgspec.json.decode(row["terms"])),
    }


async def one_profile(call: Call, user_id: str) -> Json:
    """A member as a profile. Raises NotFound."""
    programme = await call.programme()
    async with call.connection() as connection:
        view = await members.fetch_member(connection, call.org_id, user_id)
    if view is None:
        raise NotFound("User not found", code="user_not_found")
    return member_view(programme, view)


async def get_profile(call: Call) -> Json:
    """One member."""
    return await one_profile(call, call.path["userId"])


async def list_profiles(call: Call) -> Json:
    """A page of members, in the order of joining."""
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
    views, cursor = page.cut(views, lambda member_view: (member_view.enrolled_at, member_view.member_id))
    return {"profiles": [member_view(programme, view) for view in views], "cursor": cursor}


async def create_profile(call: Call) -> Json:
    """Enrol a member with a profile."""
    body = object_in(call.body)
    user_id = user_id_in(body)
    found = await _checked(call, body, new=True)
    async with call.connection() as connection:
        if await members.fetch_member(connection, call.org_id, user_id) is not None:
            raise Conflict("User with this ID already exists", code="already_exists")
    return await write_profile(call, user_id, found)


async def update_profile(call: Call) -> Json:
    """Change a member's profile: the fields given; null takes one away."""
    body = object_in(call.body)
    user_id = call.path["userId"]
    if id_text(body.get("userId", user_id)) != user_id:
        raise invalid_fields([FieldError("userId", "cannot be changed")])
    before = await one_profile(call, user_id)
    body = writable(body, before, KEPT_BY_ENGINE)
    if isinstance(body.get(CUSTOM), dict):  # what is shown in two places is changed in the one in which it differs
        same: Json = before[CUSTOM]
        body[CUSTOM] = {name: value for name, value in body[CUSTOM].items() if name not in same or same[name] != value}
    return await write_profile(call, user_id, await _checked(call, body, new=False))


def object_in(body: Any) -> dict[str, Any]:
    """A body that must be an object, as a copy. Raises Invalid."""
    if not isinstance(body, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    return dict(body)  # pyright: ignore[reportUnknownArgumentType]


def user_id_in(body: dict[str, Any]) -> str:
    """The user id that a new profile names. Raises Invalid."""
    user_id = id_text(body.get("userId"))
    if user_id is None:
        raise invalid_fields([FieldError("userId", "is missing")])
    message = bounds.wrong_id(user_id) if isinstance(user_id, str) else "must be a string"
    if message is not None:
        raise invalid_fields([FieldError("userId", message)])
    return str(user_id)


async def _checked(call: Call, body: dict[str, Any], *, new: bool) -> ProfileUpdate:
    rules = (await call.programme()).profiles
    found, wrong = validate_update(rules, body, new=new)
    if wrong:
        raise invalid_fields(wrong)
    return found


async def write_profile(call: Call, user_id: str, found: ProfileUpdate) -> Json:
    """Write what was checked into a member's profile. Answers the profile."""
    data = {"attributes": found.attributes, "identities": found.names}
    with identity_conflicts():
        await run_command(call, kind=PROFILE, trigger="profile.set", user_id=user_id, data=data)
    return await one_profile(call, user_id)


@contextmanager
def identity_conflicts() -> Generator[None]:
    """Say it clearly when a name is another user's."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.table_name != "identities":
            raise
        raise Conflict(
            "The e-mail address, phone number or other unique field is another user's", code="identity_taken"
        ) from None


_PROFILE = object_of(
    {
        "userId": TEXT,
        "metrics": OBJECT,
        "badges": {"type": "array", "items": TEXT},
        "inventory": OBJECTS,
        "coupons": OBJECTS,
        "enrolledAt": TIME,
        "lastActiveAt": TIME,
    },
    {"points": NUMBER, "xp": NUMBER, "coins": NUMBER},
)
_PLAIN = {"type": "object"}

OPERATIONS = [
    Operation(
        name="listProfiles", method="GET", path="/v1/profiles", summary="List or search profiles", description=(
            "In the order of enrolment. Any other query parameter is a profile field that must have that "
            "value."
        ), run=list_profiles,
        scope="members:read", tag="Profiles", answer=page_schema("profiles", _PROFILE), query=PAGING,
        any_field=True, errors=(400,),
    ),
    Operation(
        name="createProfile", method="POST", path="/v1/profiles", summary="Create a profile, enrolling the member",
        run=create_profile, scope="members:write", tag="Profiles", body=_PLAIN, answer=_PROFILE, status=201,
        errors=(400, 409, 413),
    ),
    Operation(
        name="getProfile", method="GET", path="/v1/profiles/{userId}", summary="Get a profile",
        run=get_profile, scope="members:read", tag="Profiles", answer=_PROFILE, errors=(400, 404),
    ),
    Operation(
        name="updateProfile", method="PUT", path="/v1/profiles/{userId}", summary="Update a profile",
        run=update_profile, scope="members:write", tag="Profiles", body=_PLAIN, answer=_PROFILE,
        errors=(400, 404, 409, 413),
    ),
]  # fmt: skip

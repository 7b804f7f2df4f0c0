"""The audience API for members' apps, and for servers that read or update several profiles."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from msgspec import Meta, Struct

from plaudit.api.http.operations import LIMIT, PAGING, Call, Operation, OperationResult, Parameter
from plaudit.api.http.wire import UserId
from plaudit.api.identity.current_member import load_current_member, member_id
from plaudit.api.shared.member_pages import campaign_views, own_notifications_page, transactions_page
from plaudit.api.shared.profiles import object_in, write_profile
from plaudit.api.shared.redemption import redeem_product
from plaudit.api.views.base import OpenObject, Page
from plaudit.api.views.member_api import (
    AudienceProfile,
    AudienceProfileBatch,
    AudienceTransaction,
    AudienceTransactionList,
    AudienceUser,
    ChallengeList,
    OptOutState,
    UserError,
)
from plaudit.api.views.notification import NotificationList
from plaudit.api.views.products import RedemptionResult
from plaudit.api.views.profiles import Profile, profile_view
from plaudit.api.views.transactions import transaction_fields
from plaudit.core.decide_one import OPTED_OUT
from plaudit.documents.profile import CUSTOM, ProfileUpdate, validate_update
from plaudit.documents.validation import convert
from plaudit.errors import Conflict, FieldError, Forbidden, Invalid, invalid_fields
from plaudit.reads import members
from plaudit.reads.transactions import TransactionFilter
from plaudit.storage.programmes import Programme

USERS_MAX = 100
OWN_FIELDS = ("displayName", "preferences")  # what members may change in addition to custom fields


async def get_profile(call: Call) -> OpenObject | OperationResult:
    """Return the member's complete profile, or for a server the profiles of several users."""
    assert call.caller is not None
    if call.caller.user_id is None:
        return await _profiles_of_many(call)
    if "user_ids" in call.query:
        raise Forbidden(
            "user_ids needs an API secret: a member's token reads that member's profile only", code="servers_only"
        )
    programme, view = await load_current_member(call)
    return profile_view(programme, view, AudienceProfile, challenges=campaign_views(programme, view))


async def _profiles_of_many(call: Call) -> OperationResult:
    user_ids = [part for part in call.query.get("user_ids", "").split(",") if part]
    if not 1 <= len(user_ids) <= USERS_MAX:
        raise invalid_fields([FieldError("user_ids", f"must name 1 to {USERS_MAX} users, separated by commas")])
    programme = await call.programme()
    async with call.connection() as connection:
        views = await members.fetch_members(connection, call.org_id, list(dict.fromkeys(user_ids)))
    return _batch_result([_user(view.user_id, profile_view(programme, view)) for view in views])


def _batch_result(users: list[AudienceUser]) -> OperationResult:
    return OperationResult(data=AudienceProfileBatch(message="OK", users=users), status=200, enveloped=False)


def _user(user_id: str, profile: OpenObject) -> AudienceUser:
    return AudienceUser(user_id=user_id, data=cast("Profile", profile))


class ProfilePatch(Struct, kw_only=True, forbid_unknown_fields=True):
    """One user's part of a batched request."""

    user_id: UserId
    data: dict[str, Any]


async def put_profiles(call: Call) -> OperationResult:
    """Update the given fields of several users' profiles. Nothing is changed if any field is invalid."""
    programme = await call.programme()
    users: list[AudienceUser] = []
    for user_id, change in _changes_in(call.body, programme):
        try:
            users.append(_user(user_id, await write_profile(call, user_id, change)))
        except Conflict as error:  # the identity belongs to another user; the other updates stay
            users.append(AudienceUser(user_id=user_id, error=UserError(message=error.message, code=error.code)))
    return _batch_result(users)


def _changes_in(body: Any, programme: Programme) -> list[tuple[str, ProfileUpdate]]:
    if not isinstance(body, list) or not 1 <= len(cast("list[Any]", body)) <= USERS_MAX:
        raise invalid_fields([FieldError("", f"must be an array of 1 to {USERS_MAX} users")])
    changes: list[tuple[str, ProfileUpdate]] = []
    wrong: list[FieldError] = []
    for i, item in enumerate(cast("list[Any]", body)):
        try:
            profile_of = convert(item, ProfilePatch)
        except Invalid as error:
            wrong += [field.under(f"[{i}]") for field in error.fields]
            continue
        update, errors = validate_update(programme.profiles, profile_of.data, new=False)
        wrong += [error.under(f"[{i}].data") for error in errors]
        changes.append((profile_of.user_id, update))
    if wrong:
        raise invalid_fields(wrong)
    return changes


async def patch_profile(call: Call) -> OpenObject:
    """Update the member's own display name, preferences and custom fields."""
    programme, _ = await load_current_member(call)
    body = object_in(call.body)
    custom = cast("dict[str, Any]", body.get(CUSTOM)) if isinstance(body.get(CUSTOM), dict) else {}
    wrong = [FieldError(name, "cannot be changed by members") for name in body if not _own_field(programme, name)]
    wrong += [
        FieldError(f"{CUSTOM}.{key}", "is not a known custom field")
        for key in custom
        if key not in programme.profiles.custom
    ]
    if wrong:
        raise invalid_fields(wrong)
    update, wrong = validate_update(programme.profiles, body, new=False)
    if wrong:
        raise invalid_fields(wrong)
    return await write_profile(call, call.user_id, update)


def _own_field(programme: Programme, name: str) -> bool:
    return name in OWN_FIELDS or name == CUSTOM or name in programme.profiles.custom


async def get_transactions(call: Call) -> Page:
    """Return the member's transactions, filtered by type and currency."""
    programme = await call.programme()
    signs = {None: None, "credit": 1, "debit": -1}
    kind, currency = call.query.get("type"), call.query.get("currency")
    wrong: list[FieldError] = []
    if kind not in signs:
        wrong.append(FieldError("type", "must be credit or debit"))
    if currency is not None and currency not in programme.compiled.metrics:
        wrong.append(FieldError("currency", f"must be a metric: {', '.join(programme.compiled.metrics)}"))
    if wrong:
        raise invalid_fields(wrong)
    after = call.query.get("lastEvaluatedKey", "")
    page, cursor = await transactions_page(
        call, member_id(call), after, TransactionFilter(metric=currency, sign=signs[kind])
    )
    views = [_transaction_view(programme, row) for row in page]
    return AudienceTransactionList.of(views, last_evaluated_key=cursor)


def _transaction_view(programme: Programme, row: Mapping[str, Any]) -> AudienceTransaction:
    fields = transaction_fields(programme, dict(row))
    fields["type"] = "credit" if row["amount"] > 0 else "debit"
    return AudienceTransaction(**fields, currency=row["metric"])


async def get_challenges(call: Call) -> Page:
    """Return the campaigns that the member may see, with progress."""
    programme, view = await load_current_member(call)
    return ChallengeList.of(campaign_views(programme, view))


async def post_opt_out(call: Call) -> OptOutState:
    """Opt the member out. Actions are still logged but have no effects. Balances and items stay."""
    return await _set_opted_out(call, value=True)


async def post_opt_in(call: Call) -> OptOutState:
    """Opt the member back in."""
    return await _set_opted_out(call, value=None)


async def _set_opted_out(call: Call, *, value: bool | None) -> OptOutState:
    await load_current_member(call)
    await write_profile(call, call.user_id, ProfileUpdate({OPTED_OUT: value}, {}))
    return OptOutState(opted_out=bool(value))


class MyRedemptionRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """The quantity to redeem."""

    quantity: Annotated[int, Meta(ge=1, le=1_000)] = 1


async def post_redeem(call: Call) -> RedemptionResult:
    """Redeem a product as the member. Balance, stock, code and coupon change together, or not at all."""
    body: MyRedemptionRequest = call.body
    await load_current_member(call)
    return await redeem_product(call, call.user_id, call.path["productId"], body.quantity)


_OWN: dict[str, Any] = {"member": True, "tag": "Audience API"}

OPERATIONS = [
    Operation(
        name="getAudienceProfile", method="GET", path="/api/audience/profile", scope="members:read", run=get_profile,
        response=AudienceProfile, bare_response=AudienceProfileBatch, summary="Get the member's profile, or several for a server", description=(
            "With a member's token: the member's profile with challenges. With an API secret: the profiles "
            "of `user_ids`."
        ), query=(Parameter("user_ids", "User ids, comma-separated (API secret only)", {"type": "string"}),), **_OWN,
    ),
    Operation(
        name="updateAudienceProfiles", method="PUT", path="/api/audience/profile", scope="members:write",
        run=put_profiles, tag="Audience API", summary="Update several profiles", enveloped=False, response=AudienceProfileBatch,
        body={"type": "array", "items": {"$of": ProfilePatch}, "minItems": 1, "maxItems": USERS_MAX}, errors=(400, 413),
    ),
    Operation(
        name="updateMyProfile", method="PATCH", path="/api/audience/profile", scope=None, run=patch_profile,
        body={"type": "object"}, summary="Update the member's own profile", response=Profile,
        errors=(400, 409, 413), **_OWN,
    ),
    Operation(
        name="listAudienceTransactions", method="GET", path="/api/audience/transactions", scope=None,
        run=get_transactions, summary="List the member's transactions",
        response=AudienceTransactionList, query=(
            Parameter("type", "Only credits, or only debits.", {"enum": ["credit", "debit"]}),
            Parameter("currency", "Only of this metric.", {"type": "string"}), LIMIT,
            Parameter("lastEvaluatedKey", "Where to continue: the cursor of the previous page.", {"type": "string"}),
        ), **_OWN,
    ),
    Operation(
        name="listChallenges", method="GET", path="/api/audience/challenges", scope=None, run=get_challenges,
        summary="List the member's challenges", response=ChallengeList, **_OWN,
    ),
    Operation(
        name="listAudienceNotifications", method="GET", path="/api/audience/notifications", scope=None,
        run=own_notifications_page, query=PAGING, summary="List the member's notifications",
        response=NotificationList, **_OWN,
    ),
    Operation(
        name="optOut", method="POST", path="/api/audience/opt-out", scope=None, run=post_opt_out, response=OptOutState,
        summary="Opt out",
        description="Actions are still logged but have no effects. Balances and products are kept.", **_OWN,
    ),
    Operation(
        name="optIn", method="POST", path="/api/audience/opt-in", scope=None, run=post_opt_in, response=OptOutState,
        summary="Opt back in", **_OWN,
    ),
    Operation(
        name="redeemMyProduct", method="POST", path="/api/audience/products/{productId}/redeem", scope=None,
        run=post_redeem, body=MyRedemptionRequest, summary="Redeem a product as the member",
        response=RedemptionResult,
        errors=(400, 404, 409, 413), **_OWN,
    ),
]  # fmt: skip

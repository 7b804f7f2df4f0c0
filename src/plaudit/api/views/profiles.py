"""Profiles: members with their fields, balances, products, coupons and progress."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType, defstruct

from plaudit.api.http.wire import optional_time, time_text
from plaudit.api.views.cause import Cause, cause_view
from plaudit.core import cause as core
from plaudit.core import identities
from plaudit.core.ledger import lots
from plaudit.core.ledger.lots import Book
from plaudit.core.metrics import Metric, to_number
from plaudit.core.profile_fields import COMPUTED, PROFILE_FIELDS, TIME_ZONE, Keeper, badges_of, computed_fields
from plaudit.documents.profile import CUSTOM
from plaudit.mechanics.registry import MECHANICS
from plaudit.reads import members
from plaudit.reads.members import MemberView
from plaudit.storage.programmes import Programme

from .base import Json, OpenObject, OpenView, Time, View, page_of
from .coupon import CouponWorth, worth_of
from .documents import snake_case
from .member_progress import CampaignProgress, ShownProfile, profile_source, progress_parts


class ExpiringAmount(View):
    """How much of a balance expires, and when."""

    amount: float
    expires_at: Time


class MetricBalance(View):
    """A member's balance of a metric. `available` excludes pending and held amounts; `lifetime` is the total earned."""

    balance: float
    pending: float
    available: float
    lifetime: float
    expiring: list[ExpiringAmount]


class InventoryItem(View):
    """A member's product. `name` and `type` are null once the product is deleted."""

    product_id: str
    name: str | None
    type: str | None
    quantity: int
    received_at: Time


class MemberCoupon(CouponWorth, kw_only=True):
    """A member's present or past coupon."""

    coupon_id: str
    code: str | None
    status: str
    origin: str
    code_pool_id: str | None
    campaign_id: str | None
    cause: Cause
    issued_at: Time
    expires_at: Time | None
    redeemed_at: Time | None
    revoked_at: Time | None


_TYPES: Mapping[str, Any] = {"number": float, "string": str | None, "array": list[str], "date": Time}


_NAMES = {field.name: snake_case(field.name) for field in COMPUTED}
# The fields that clients write. The organisation's profile schema can change their types, except for a few.
_WRITTEN = {
    field.name: snake_case(field.name)
    for field in PROFILE_FIELDS
    if field.kept_by == Keeper.user and field.name != "userId"
}
_FIXED_TYPES = {*identities.KINDS, TIME_ZONE}
_DESCRIPTIONS = {
    "email": "An identity: the member can be found by it.",
    "phone": "An identity: the member can be found by it. In the form `+491512345678`.",
    "country": "The member's country.",
    "city": "The member's city.",
    "timezone": "The member's time zone, such as `Europe/Berlin`. It decides when their days begin.",
    "language": "The language of the member's notifications.",
    "referredBy": "The user id of the member who referred this one.",
    "tags": "The member's tags.",
    "displayName": "The name that other members see.",
    "name": "The member's name.",
    "source": "Where the member came from.",
    "channel": "The channel that the member came through.",
    "preferences": "The member's preferences, an object.",
    "optedOut": "Whether the member has opted out, so that their actions have no effects.",
}


def _written_type(name: str) -> Any:
    of = str | None | UnsetType if name in _FIXED_TYPES else Any
    return Annotated[of, Meta(description=_DESCRIPTIONS[name])]


if TYPE_CHECKING:
    ComputedFields = WrittenFields = OpenView
else:
    WrittenFields = defstruct(
        "WrittenFields",
        [(field, _written_type(name), UNSET) for name, field in _WRITTEN.items()],
        bases=(OpenView,),
        kw_only=True,
        rename="camel",
    )
    ComputedFields = defstruct(
        "ComputedFields",
        [(_NAMES[field.name], _TYPES[field.type] | UnsetType, UNSET) for field in COMPUTED],
        bases=(WrittenFields,),
        kw_only=True,
        rename="camel",
    )


class _ProfileBase(ComputedFields, kw_only=True):
    org_id: str
    user_id: str
    custom_fields: Json
    transaction_count: int
    metrics: dict[str, MetricBalance]
    inventory: list[InventoryItem]
    coupons: list[MemberCoupon]


def _state_fields(*, in_own_tables: bool) -> list[tuple[str, Any]]:
    return [
        (mechanic.name_in_profiles, dict[str, mechanic.state_view])
        for mechanic in MECHANICS.in_order_of_views()
        if mechanic.state_view is not None and bool(mechanic.tables) is in_own_tables
    ]


_ABOUT = """A member. Further fields are those of the profile schema.

`customFields` are those declared as custom fields; they are also among the further fields. """


def _about_profiles() -> str:
    about = [field.about for mechanic in MECHANICS.in_order_of_views() for field in mechanic.profile_fields]
    return _ABOUT + " ".join(filter(None, about))


if TYPE_CHECKING:

    class Profile(_ProfileBase, kw_only=True):
        campaigns: dict[str, CampaignProgress]
else:
    Profile = defstruct(
        "Profile",
        [
            *_state_fields(in_own_tables=False),
            ("campaigns", dict[str, CampaignProgress]),
            *_state_fields(in_own_tables=True),
        ],
        bases=(_ProfileBase,),
        kw_only=True,
        rename="camel",
        namespace={"__doc__": _about_profiles()},
    )

ProfileList = page_of(Profile, "profiles")


def profile_view(programme: Programme, view: MemberView, of: type[Profile] = Profile, **others: Any) -> OpenObject:
    """Return a member's profile. `others` are further fields of the type `of`."""
    return with_written(of, written_fields(view), **profile_fields(programme, view), **others)


def written_fields(view: MemberView) -> Json:
    """Return the fields of a profile that clients write: its attributes, and the identities of the member."""
    written = {name: value for name, value in view.attributes.items() if name not in _COMPUTED_ALWAYS}
    return written | {row["kind"]: row["value"] for row in view.parts["identities"]}


def with_written(of: type[OpenView], written: Json, **fields: Any) -> OpenObject:
    """Return a view of these fields and of the written ones, which become further fields if the type lacks them."""
    further = dict(written)
    named = {field: further.pop(name) for name, field in _WRITTEN.items() if name in further}
    return OpenObject(of(**fields, **named), further)


_COMPUTED_ALWAYS = _NAMES.keys() | {CUSTOM}


def profile_fields(programme: Programme, view: MemberView) -> dict[str, Any]:
    """Return the fields of `Profile` for a member."""
    program = programme.compiled
    source = profile_source(program, view)
    return {
        "org_id": str(program.org_id),
        "user_id": view.user_id,
        "custom_fields": programme.profiles.custom_of(view.attributes),
        **_computed(programme, view, source),
        "transaction_count": sum(row["count"] for row in view.parts["transactions"]),
        "metrics": balances_view(programme, view),
        "inventory": inventory_view(programme, view),
        "coupons": coupons_view(programme, view),
        **progress_parts(source, programme.now()),
    }


def _computed(programme: Programme, view: MemberView, source: ShownProfile) -> dict[str, Any]:
    """Return the computed fields, which conditions can also use. Badges are in the order in which they were received."""
    computed = {"tier": None} | computed_fields(source)
    product_ids = (row["product_id"] for row in view.parts["holdings"])
    computed["badges"] = badges_of(product_ids, programme.compiled.products)
    return {
        _NAMES[name]: time_text(value) if isinstance(value, datetime) else value for name, value in computed.items()
    }


def balances_view(programme: Programme, view: MemberView) -> dict[str, MetricBalance]:
    """Return a member's balances of all metrics in the programme."""
    rows = {row["metric"]: row for row in view.parts["balances"]}
    return {
        metric_id: _balance_view(metric, rows.get(metric_id))
        for metric_id, metric in programme.compiled.metrics.items()
    }


def _balance_view(metric: Metric, row: Any) -> MetricBalance:
    balance = metric.default if row is None else row["amount"]
    book = members.book_of(row)
    pending, held = lots.pending(book), lots.held(book)
    return MetricBalance(
        balance=to_number(balance, metric.decimals),
        pending=to_number(pending, metric.decimals),
        available=to_number(balance - pending - held, metric.decimals),
        lifetime=to_number(0 if row is None else row["earned"], metric.decimals),
        expiring=_expiring(metric, book),
    )


def _expiring(metric: Metric, book: Book) -> list[ExpiringAmount]:
    """Return the amounts that expire, soonest first."""
    amounts: dict[datetime, int] = {}
    for lot in book.lots:
        if lot.expires_at is not None:
            amounts[lot.expires_at] = amounts.get(lot.expires_at, 0) + lot.amount
    return [
        ExpiringAmount(amount=to_number(amount, metric.decimals), expires_at=time_text(at))
        for at, amount in sorted(amounts.items())
    ]


def inventory_view(programme: Programme, view: MemberView) -> list[InventoryItem]:
    """Return a member's products."""
    products = programme.compiled.products
    return [
        InventoryItem(
            product_id=row["product_id"],
            name=product.name if (product := products.get(row["product_id"])) else None,
            type=product.type if product else None,
            quantity=row["quantity"],
            received_at=time_text(row["first_at"]),
        )
        for row in view.parts["holdings"]
    ]


def coupons_view(programme: Programme, view: MemberView) -> list[MemberCoupon]:
    """Return a member's present and past coupons."""
    return [_coupon_view(programme, row) for row in view.parts["coupons"]]


def _coupon_view(programme: Programme, row: dict[str, Any]) -> MemberCoupon:
    return MemberCoupon(
        coupon_id=str(row["coupon_id"]),
        code=row["code"],
        status=row["state"] or "allocated",
        origin=row["origin_id"],
        code_pool_id=row["pool_id"],
        **cause_view(core.Cause(row["cause_kind"], row["cause_id"])),
        issued_at=time_text(row["issued_at"]),
        expires_at=optional_time(row["expires_at"]),
        redeemed_at=optional_time(row["redeemed_at"]),
        revoked_at=optional_time(row["revoked_at"]),
        **worth_of(programme, row["origin_id"], msgspec.json.decode(row["terms"])),
    )

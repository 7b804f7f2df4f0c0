"""A member's coupons in the first-generation API: their ids by cause, and one coupon."""

from collections.abc import Mapping
from datetime import datetime

from plaudit.api.http.operations import Call
from plaudit.api.http.wire import uuid_in
from plaudit.api.identity.current_member import load_current_member
from plaudit.api.views.first_generation import LoyaltyCoupon
from plaudit.core.cause import Cause
from plaudit.errors import NotFound

Coupons = Mapping[tuple[Cause, datetime], str]


async def coupons_of(call: Call) -> Coupons:
    """Return the ids of the member's coupons by cause and time of issue."""
    _, view = await load_current_member(call)
    return {
        (Cause(row["cause_kind"], row["cause_id"]), row["issued_at"]): str(row["coupon_id"])
        for row in view.parts["coupons"]
    }


async def get_coupon(call: Call) -> LoyaltyCoupon:
    """Return a coupon of the member by its id, or the newest valid one of the reward or product with that id."""
    programme, view = await load_current_member(call)
    name = call.path["couponId"]
    coupon_id = uuid_in(name, "")
    own = sorted(
        view.parts["coupons"], key=lambda coupon: (coupon["revoked_at"] is None, coupon["issued_at"]), reverse=True
    )
    row = next((record for record in own if record["coupon_id"] == coupon_id or record["origin_id"] == name), None)
    if row is None:
        raise NotFound("Coupon not found", code="coupon_not_found")
    if row["revoked_at"] is not None:
        raise NotFound("The coupon has been revoked", code="coupon_revoked")
    origin = programme.rewards.get(row["origin_id"]) or programme.products.get(row["origin_id"])
    return LoyaltyCoupon(
        id=str(row["coupon_id"]),
        title=row["origin_id"] if origin is None else origin.name,
        link="" if origin is None else origin.link or "",
        coupon_id=row["origin_id"],
        coupon_type="non_unique_coupon" if row["pool_id"] is None else "unique_coupon",
        coupon_code=row["code"],
        show_on_notification=True,
    )

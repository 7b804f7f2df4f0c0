"""A coupon's discount and where to use it. Every response with a coupon has these fields."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from plaudit.api.http.wire import optional_time
from plaudit.core.decision import IssuedCoupon
from plaudit.documents.reward import Reward
from plaudit.engine.processed import ProcessedEvent
from plaudit.storage.programmes import Programme

from .base import Time, View


class CouponWorth(View):
    """A coupon's name, where it can be used, and its discount."""

    name: str | UnsetType | None = UNSET
    link: str | UnsetType | None = UNSET
    discount_type: str | UnsetType | None = UNSET
    discount_value: float | UnsetType | None = UNSET


class WithIssuedCoupon(CouponWorth):
    """The fields of a response with the issued coupon, if there is one."""

    coupon_id: str | UnsetType = UNSET
    code: str | UnsetType | None = UNSET
    expires_at: Time | UnsetType | None = UNSET


def worth_of(programme: Programme, origin_id: str, terms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `CouponWorth` for a coupon, from the reward or product that it came from.

    `terms` are those at the time of issue; later changes of the reward do not affect them.
    """
    origin = programme.rewards.get(origin_id) or programme.products.get(origin_id)
    config = origin.config if isinstance(origin, Reward) else {}
    return {
        "name": None if origin is None else origin.name,
        "link": None if origin is None else origin.link,
        "discount_type": terms.get("discountType", config.get("discountType")),
        "discount_value": terms.get("discountValue", config.get("discountValue")),
    }


def issued_coupon_fields(programme: Programme, processed: ProcessedEvent, issue: IssuedCoupon) -> dict[str, Any]:
    """Return the fields of `WithIssuedCoupon` for a coupon that has just been issued."""
    return {
        "coupon_id": str(issue.coupon_id),
        "code": issue.code if issue.code is not None else processed.codes.get(issue.coupon_id),
        "expires_at": optional_time(issue.expires_at),
        **worth_of(programme, issue.origin_id, issue.terms),
    }

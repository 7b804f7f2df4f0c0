"""What a coupon is worth and where it can be used: told to its member and to the shop, wherever it is shown."""

from collections.abc import Mapping
from typing import Any

from plaudit.api.http.schemas import NULLABLE_TEXT, NULLABLE_TIME, TEXT
from plaudit.api.http.wire import Json, optional_time
from plaudit.core.decision import IssuedCoupon
from plaudit.documents.reward import Reward
from plaudit.engine.processed import ProcessedEvent
from plaudit.storage.programmes import Programme

COUPON_FIELDS: Json = {
    "couponId": TEXT,
    "code": TEXT,
    "name": NULLABLE_TEXT,
    "link": NULLABLE_TEXT,
    "discountType": NULLABLE_TEXT,
    "discountValue": {"type": ["number", "null"]},
    "expiresAt": NULLABLE_TIME,
}
DISCOUNT = ("discountType", "discountValue")


def worth_of(programme: Programme, origin_id: str, terms: Mapping[str, Any]) -> Json:
    """Return the name and the link of the reward or product that a coupon came from, and its discount.

    `terms` are those that it was issued with, which a later change of the reward does not touch.
    """
    origin = programme.rewards.get(origin_id) or programme.products.get(origin_id)
    config = origin.config if isinstance(origin, Reward) else {}
    return {
        "name": None if origin is None else origin.name,
        "link": None if origin is None else origin.link,
        **{name: terms.get(name, config.get(name)) for name in DISCOUNT},
    }


def issued_coupon_view(programme: Programme, processed: ProcessedEvent, issue: IssuedCoupon) -> Json:
    """A coupon that has just been issued."""
    return {
        "couponId": str(issue.coupon_id),
        "code": issue.code if issue.code is not None else processed.codes.get(issue.coupon_id),
        "expiresAt": optional_time(issue.expires_at),
        **worth_of(programme, issue.origin_id, issue.terms),
    }

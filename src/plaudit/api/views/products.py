"""Response types of the operations on products."""

from .base import Time, View
from .coupon import WithIssuedCoupon


class PricePaid(View):
    """The transaction that paid for a product."""

    transaction_id: str
    metric: str
    amount: float
    balance_after: float


class Redemption(WithIssuedCoupon, kw_only=True):
    """A redeemed product, with its coupon, if it has one."""

    user_id: str
    product_id: str
    quantity: int
    redeemed_at: Time
    event_id: str
    transactions: list[PricePaid]


class RedemptionResult(View):
    """The product was redeemed."""

    message: str
    result: Redemption


class ProductRemoval(View):
    """How many of a product were removed from a member, and how many are left."""

    user_id: str
    product_id: str
    removed: int
    quantity: int

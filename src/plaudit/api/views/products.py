"""What the operations on products return."""

from .base import Time, View
from .coupon import WithIssuedCoupon


class PricePaid(View):
    """What a product has cost: a transaction of the member."""

    transaction_id: str
    metric: str
    amount: float
    balance_after: float


class Redemption(WithIssuedCoupon, kw_only=True):
    """A product that a member has redeemed, with the coupon that came of it, if one did."""

    user_id: str
    product_id: str
    quantity: int
    redeemed_at: Time
    event_id: str
    transactions: list[PricePaid]


class RedemptionResult(View):
    """That a product was redeemed."""

    message: str
    result: Redemption


class ProductRemoval(View):
    """How much of a product was removed from a member, and how much the member still has."""

    user_id: str
    product_id: str
    removed: int
    quantity: int

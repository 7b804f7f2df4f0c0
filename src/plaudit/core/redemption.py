"""Redeeming a product: what it costs, the stock, a code of its pool and the coupon, in one decision or not at all."""

from datetime import datetime

from msgspec import Struct

from .bookkeeping import order_of
from .deciding import Deciding, Place
from .decision import Considered, EffectTrace, Refusal
from .effect_settings import AwardProduct
from .effects import award_product
from .ledger import post
from .program import Product

REDEMPTION_CAMPAIGN = "redemption"  # the pseudo-campaign that redemptions are booked under


class Redemption(Struct, frozen=True, rename="camel"):
    """Which product, and how many of it."""

    product_id: str
    quantity: int = 1


def redeem(deciding: Deciding) -> Refusal | None:
    """Spend what a product costs, and have it. The first thing that stands against it is the answer."""
    order = order_of(deciding, Redemption)
    product = deciding.program.products.get(order.product_id)
    if product is None:
        return Refusal.product_missing
    held = deciding.member.holdings.get(product.product_id)
    had = 0 if held is None else held.quantity
    admitted = product.audience is None or deciding.is_for(product.audience)
    refusal = not_to_be_had(product, deciding.now, had, order.quantity, admitted=admitted)
    if refusal is not None:
        return refusal
    effects: list[EffectTrace] = []
    for index, (metric_id, cost) in enumerate(product.costs):
        metric = deciding.program.metrics.get(metric_id)
        if metric is None:
            return Refusal.metric_missing
        place = Place(REDEMPTION_CAMPAIGN, 0, index)
        paid = post(deciding, place, metric, -cost * order.quantity, product.name, earning=False)
        if isinstance(paid, Refusal):
            return paid
        effects.append(EffectTrace(index, None, paid.amount))
    place = Place(REDEMPTION_CAMPAIGN, 0, len(product.costs))
    given = award_product(deciding, place, AwardProduct(product_id=order.product_id, quantity=order.quantity))
    if given.refusal is not None:
        return given.refusal
    coupon = given.outcome.get("coupon")
    if coupon is not None and "refusal" in coupon:  # no code, no deal
        return Refusal(coupon["refusal"])
    effects.append(given)
    deciding.trace.append(Considered(REDEMPTION_CAMPAIGN, 0, 0, None, [], effects))
    told = {"productId": order.product_id, "quantity": order.quantity}
    deciding.follow("product.redeemed", told, REDEMPTION_CAMPAIGN)
    return None


def not_to_be_had(product: Product, now: datetime, had: int, quantity: int, *, admitted: bool) -> Refusal | None:
    """What stands against having `quantity` more of a product, beside its price, for who has `had` of it."""
    if not product.active:
        return Refusal.product_inactive
    if product.starts_at is not None and now < product.starts_at:
        return Refusal.product_not_yet
    if product.ends_at is not None and now >= product.ends_at:
        return Refusal.product_no_longer
    if not admitted:
        return Refusal.not_in_segment
    limit = 1 if product.type == "badge" else product.limit_per_member
    return Refusal.product_limit_reached if limit is not None and had + quantity > limit else None

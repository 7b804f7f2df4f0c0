"""Redeem a product: pay its price, take it from the stock and issue its code, in one decision or not at all."""

from datetime import datetime

from msgspec import Struct

from plaudit.core import event
from plaudit.core.cause import REDEMPTION
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Refusal, RefusalCode, Trace
from plaudit.core.effects import award_product
from plaudit.core.ledger.post import post
from plaudit.core.program import Product

from .command_type import CommandType


class Redemption(Struct, frozen=True, rename="camel"):
    """The product to redeem, and the quantity."""

    product_id: str
    quantity: int = 1


def _redeem(context: Context, order: Redemption) -> RefusalCode | None:
    """Pay a product's price and award the product. Return the first refusal, or None."""
    product = context.program.products.get(order.product_id)
    if product is None:
        return Refusal.product_not_found
    held = context.member.holdings.get(product.product_id)
    owned = 0 if held is None else held.quantity
    is_in_audience = product.audience is None or context.is_for(product.audience)
    refusal = redemption_refusal(product, context.now, owned, order.quantity, is_in_audience=is_in_audience)
    if refusal is not None:
        return refusal
    effects: list[EffectTrace] = []
    for index, (metric_id, cost) in enumerate(product.costs):
        metric = context.program.metrics.get(metric_id)
        if metric is None:
            return Refusal.metric_not_found
        place = EffectPlace(REDEMPTION, 0, index)
        paid = post(context, place, metric, -cost * order.quantity, product.name, earning=False)
        if isinstance(paid, Refusal):
            return paid
        effects.append(EffectTrace(index, None, paid.amount))
    place = EffectPlace(REDEMPTION, 0, len(product.costs))
    award = award_product.apply(
        context, place, award_product.AwardProduct(product_id=order.product_id, quantity=order.quantity)
    )
    if award.refusal is not None:
        return award.refusal
    coupon = award.outcome.get("coupon")
    if coupon is not None and "refusal" in coupon:  # nobody pays for a product without its code
        return Refusal(coupon["refusal"])
    effects.append(award)
    context.trace.append(Trace(REDEMPTION.logged, 0, 0, None, [], effects))
    data = {"productId": order.product_id, "quantity": order.quantity}
    context.emit("product.redeemed", data, REDEMPTION)
    return None


def redemption_refusal(
    product: Product, now: datetime, owned: int, quantity: int, *, is_in_audience: bool
) -> Refusal | None:
    """Return why a member who owns `owned` of a product cannot get `quantity` more, apart from the price, or None."""
    if not product.active:
        return Refusal.product_inactive
    if product.starts_at is not None and now < product.starts_at:
        return Refusal.product_not_available_yet
    if product.ends_at is not None and now >= product.ends_at:
        return Refusal.product_no_longer_available
    if not is_in_audience:
        return Refusal.not_in_segment
    limit = 1 if product.type == "badge" else product.limit_per_member
    return Refusal.product_limit_reached if limit is not None and owned + quantity > limit else None


COMMAND = CommandType(kind=event.REDEMPTION, order=Redemption, apply=_redeem, is_own=True)

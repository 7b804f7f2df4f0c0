"""Redeem a product: its price, the stock, a code of its pool and the coupon, in one decision or not at all."""

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
    """The product and the quantity."""

    product_id: str
    quantity: int = 1


def _redeem(context: Context, order: Redemption) -> RefusalCode | None:
    """Spend a product's price and grant it, or return the first reason against it."""
    product = context.program.products.get(order.product_id)
    if product is None:
        return Refusal.product_not_found
    held = context.member.holdings.get(product.product_id)
    had = 0 if held is None else held.quantity
    admitted = product.audience is None or context.is_for(product.audience)
    refusal = redemption_refusal(product, context.now, had, order.quantity, admitted=admitted)
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
    given = award_product.apply(
        context, place, award_product.AwardProduct(product_id=order.product_id, quantity=order.quantity)
    )
    if given.refusal is not None:
        return given.refusal
    coupon = given.outcome.get("coupon")
    if coupon is not None and "refusal" in coupon:  # no code, no deal
        return Refusal(coupon["refusal"])
    effects.append(given)
    context.trace.append(Trace(REDEMPTION.logged, 0, 0, None, [], effects))
    told = {"productId": order.product_id, "quantity": order.quantity}
    context.emit("product.redeemed", told, REDEMPTION)
    return None


def redemption_refusal(product: Product, now: datetime, had: int, quantity: int, *, admitted: bool) -> Refusal | None:
    """Return why a member who has `had` of a product cannot get `quantity` more, apart from its price; or None."""
    if not product.active:
        return Refusal.product_inactive
    if product.starts_at is not None and now < product.starts_at:
        return Refusal.product_not_available_yet
    if product.ends_at is not None and now >= product.ends_at:
        return Refusal.product_no_longer_available
    if not admitted:
        return Refusal.not_in_segment
    limit = 1 if product.type == "badge" else product.limit_per_member
    return Refusal.product_limit_reached if limit is not None and had + quantity > limit else None


COMMAND = CommandType(kind=event.REDEMPTION, order=Redemption, apply=_redeem, is_own=True)

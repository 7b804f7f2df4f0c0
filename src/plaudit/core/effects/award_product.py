"""The effect `award_product`."""

from collections.abc import Sequence
from typing import Any

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import ClaimKind, EffectTrace, ProductChange, Refusal
from plaudit.core.member import Holding

from .effect_type import EffectSettings, EffectType, Id, NamedDocument, Preview, PreviewReward, Quantity, Text
from .issue_coupon import UniqueCouponSettings, issue_unique_code


class AwardProduct(EffectSettings, frozen=True):
    product_id: Id
    quantity: Quantity = 1
    reason: Text | None = None


def apply(context: Context, place: EffectPlace, settings: AwardProduct) -> EffectTrace:
    """Give the member a product, and a code if the product has a code pool.

    A badge is given once. If the pool is empty, a product of type `unique_code_pool` is refused, because it is nothing
    but a code. Any other product is given without a code, and the outcome contains the refusal.
    """
    product = context.program.products.get(settings.product_id)
    if product is None:
        return EffectTrace(place.index, Refusal.product_not_found, settings.product_id)
    if not product.active:
        return EffectTrace(place.index, Refusal.product_inactive, settings.product_id)
    held = context.member.holdings.get(product.product_id)
    if product.type == "badge" and held is not None:
        return EffectTrace(place.index, None, {"productId": product.product_id, "quantity": 0, "held": True})
    if product.stock is not None:
        stock_id = context.effect_id(place, "/stock")
        refusal = context.claim(
            ClaimKind.stock,
            product.product_id,
            claim_id=stock_id,
            quantity=settings.quantity,
            maximum=product.stock,
        )
        if refusal is not None:
            return EffectTrace(place.index, refusal, product.product_id)
    outcome: dict[str, Any] = {"productId": product.product_id, "quantity": settings.quantity}
    if product.pool_id is not None:
        pool = UniqueCouponSettings(product.product_id, product.pool_id, once=False)
        issued = issue_unique_code(context, place, pool)
        if issued.refusal is not None and product.type == "unique_code_pool":
            context.withdraw_claim(context.effect_id(place, "/stock"))
            return EffectTrace(place.index, issued.refusal, issued.outcome)
        outcome["coupon"] = issued.outcome if issued.refusal is None else {"refusal": issued.refusal}
    now = context.now
    context.member.holdings[product.product_id] = (
        Holding(settings.quantity, now, now)
        if held is None
        else Holding(held.quantity + settings.quantity, min(held.first_at, now), max(held.last_at, now))
    )
    context.items.append(ProductChange(place.cause.logged, product.product_id, settings.quantity))
    context.scope.forget_names()
    context.changed_parts.add("badges")
    data = {"productId": product.product_id, "type": product.type, "quantity": settings.quantity}
    context.emit("product.received", data, place.cause)
    if product.type == "badge":
        context.emit("user.badge_earned", data, place.cause)
    return EffectTrace(place.index, None, outcome)


def preview(settings: AwardProduct, _: PreviewReward) -> Sequence[Preview]:
    return (Preview("product", settings.product_id),)


EFFECT = EffectType(
    name="award_product",
    sentence="Give the member a product, with a code if it has a code pool. A badge is given once.",
    settings=AwardProduct,
    aliases=("award_badge",),
    field_aliases={"badgeId": "productId"},
    references=(NamedDocument("product", "product_id"),),
    needs=("holdings",),
    apply=apply,
    preview=preview,
)

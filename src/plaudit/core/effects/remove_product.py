"""The effect `remove_product`."""

from plaudit.core.cause import Cause
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, ProductChange, Refusal
from plaudit.core.member import Holding

from .effect_type import EffectSettings, EffectType, Id, NamedDocument, Quantity


class RemoveProduct(EffectSettings, frozen=True):
    product_id: Id
    quantity: Quantity = 1


def apply(context: Context, place: EffectPlace, settings: RemoveProduct) -> EffectTrace:
    """Take a quantity of a product from the member, at most what they hold."""
    if settings.product_id not in context.member.holdings:
        return EffectTrace(place.index, Refusal.product_not_held, settings.product_id)
    removed = take_product(context, place.cause, settings.product_id, settings.quantity)
    return EffectTrace(place.index, None, {"productId": settings.product_id, "removed": removed})


def take_product(context: Context, cause: Cause, product_id: str, quantity: int) -> int:
    """Take a quantity of a product that the member holds, at most all of it. Return the quantity taken."""
    held = context.member.holdings[product_id]
    left = max(held.quantity - quantity, 0)
    context.items.append(ProductChange(cause.logged, product_id, left - held.quantity))
    if left:
        context.member.holdings[product_id] = Holding(left, held.first_at, held.last_at)
    else:
        del context.member.holdings[product_id]
    context.scope.forget_names()
    context.changed_parts.add("badges")
    return held.quantity - left


EFFECT = EffectType(
    name="remove_product",
    sentence="Take a product away from the member.",
    settings=RemoveProduct,
    references=(NamedDocument("product", "product_id"),),
    needs=("holdings",),
    apply=apply,
)

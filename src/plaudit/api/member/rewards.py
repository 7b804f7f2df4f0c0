"""The calling member's products and coupons, and the products to redeem."""

from collections.abc import Mapping

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import optional_time
from plaudit.api.identity.current_member import OWN, groups_of, is_visible_to, load_current_member
from plaudit.api.views.member_api import MemberRewards, Offer
from plaudit.api.views.profiles import MetricBalance, balances_view, coupons_view, inventory_view
from plaudit.core.commands.redemption import redemption_refusal
from plaudit.core.decision import Refusal
from plaudit.core.metrics import to_number
from plaudit.reads.members import MemberView
from plaudit.storage.programmes import Programme


async def get_rewards(call: Call) -> MemberRewards:
    """Return the member's products and coupons, and what they can redeem, or why not."""
    programme, view = await load_current_member(call)
    balances, groups = balances_view(programme, view), groups_of(view)
    available = [
        _offer(programme, view, product_id, balances)
        for product_id, product in programme.products.items()
        if product.status == "active" and programme.compiled.products[product_id].costs
        if is_visible_to(product.segments, groups)
    ]
    return MemberRewards(
        inventory=inventory_view(programme, view), coupons=coupons_view(programme, view), available=available
    )


def _offer(programme: Programme, view: MemberView, product_id: str, balances: Mapping[str, MetricBalance]) -> Offer:
    product, document = programme.compiled.products[product_id], programme.products[product_id]
    costs = {name: to_number(cost, programme.compiled.metrics[name].decimals) for name, cost in product.costs}
    owned = sum(row["quantity"] for row in view.parts["holdings"] if row["product_id"] == product_id)
    refusal = redemption_refusal(product, programme.now(), owned, 1, is_in_audience=True)
    if refusal is None and any(balances[cost_id].available < cost for cost_id, cost in costs.items()):
        refusal = Refusal.balance_insufficient
    return Offer(
        product_id=product_id,
        name=product.name,
        description=document.description,
        type=product.type,
        media=document.media,
        costs=costs,
        redeemable=refusal is None,
        reason=refusal,
        starts_at=optional_time(product.starts_at),
        ends_at=optional_time(product.ends_at),
    )


OPERATIONS = [
    Operation(
        name="getMyRewards", method="GET", path="/api/loyalty/me/rewards",
        summary="Get what the member owns and can redeem", run=get_rewards, response=MemberRewards, **OWN,
    ),
]  # fmt: skip

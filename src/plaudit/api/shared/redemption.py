"""Redeem a product for a member, for any caller."""

from typing import Any

from plaudit.api.http.operations import Call
from plaudit.api.http.wire import time_text
from plaudit.api.run_command import run_command
from plaudit.api.views.coupon import issued_coupon_fields
from plaudit.api.views.products import PricePaid, Redemption, RedemptionResult
from plaudit.core.cause import REDEMPTION as REDEMPTION_CAUSE
from plaudit.core.decision import Decision
from plaudit.core.event import REDEMPTION
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.errors import NotFound
from plaudit.reads import members


async def redeem_product(call: Call, user_id: str, product_id: str, quantity: int) -> RedemptionResult:
    """Redeem a product for an existing member. Raise Conflict with the reason if they cannot have it."""
    programme = await call.programme()
    program = programme.compiled
    if product_id not in program.products:
        raise NotFound("Product not found", code="product_not_found")
    async with call.connection() as connection:
        if await members.fetch_member(connection, call.org_id, user_id) is None:
            raise NotFound("User not found", code="user_not_found")
    processed, now, event_id = await run_command(
        call, kind=REDEMPTION, trigger="product.redeem", user_id=user_id,
        data={"productId": product_id, "quantity": quantity},
    )  # fmt: skip
    decision = processed.decision
    assert decision is not None
    coupon: dict[str, Any] = {}
    for issue in decision.coupons:
        if issue.cause == REDEMPTION_CAUSE:
            coupon |= issued_coupon_fields(programme, processed, issue)
    result = Redemption(
        user_id=user_id,
        product_id=product_id,
        quantity=quantity,
        redeemed_at=time_text(now),
        event_id=f"evt_{event_id}",
        transactions=_prices_paid(program, decision),
        **coupon,
    )
    return RedemptionResult(message="Product redeemed successfully", result=result)


def _prices_paid(program: Program, decision: Decision) -> list[PricePaid]:
    return [
        PricePaid(
            transaction_id=f"txn_{transaction.transaction_id}",
            metric=transaction.metric,
            amount=to_number(transaction.amount, program.metrics[transaction.metric].decimals),
            balance_after=to_number(transaction.balance_after, program.metrics[transaction.metric].decimals),
        )
        for transaction in decision.transactions
        if transaction.cause == REDEMPTION_CAUSE
    ]

"""What products have besides CRUD: their stock, and redeeming them."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import UserId, time_text
from plaudit.api.run_command import run_command
from plaudit.api.views.base import View
from plaudit.api.views.coupon import issued_coupon_fields
from plaudit.api.views.documents import TYPES
from plaudit.api.views.products import PricePaid, Redemption, RedemptionResult
from plaudit.core.cause import REDEMPTION as REDEMPTION_CAUSE
from plaudit.core.decision import Decision
from plaudit.core.event import REDEMPTION
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.documents.kinds import KINDS
from plaudit.errors import NotFound
from plaudit.reads import members

from .document_operations import update_document

PRODUCT = KINDS["product"]


class StockUpdate(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How many there are in all; null for no end of them."""

    allocated_stock: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None


async def set_stock(call: Call) -> View:
    """Say how many of a product there are."""
    body: StockUpdate = call.body
    return await update_document(call, PRODUCT, call.path["productId"], {"allocatedStock": body.allocated_stock})


class RedemptionRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Who redeems, and how many."""

    user_id: UserId
    quantity: Annotated[int, Meta(ge=1, le=1_000)] = 1


async def redeem(call: Call) -> RedemptionResult:
    """Spend what a product costs on it: balance, stock, code and coupon together, or nothing of it."""
    body: RedemptionRequest = call.body
    return await redeem_product(call, body.user_id, call.path["productId"], body.quantity)


async def redeem_product(call: Call, user_id: str, product_id: str, quantity: int) -> RedemptionResult:
    """Redeem a product for a member that there is. Raises Conflict with the reason when it cannot be had."""
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


OPERATIONS = [
    Operation(
        name="redeemProduct", method="POST", path="/v1/products/{productId}/redeem",
        summary="Redeem a product for a member", run=redeem, scope="members:write", tag="Products", body=RedemptionRequest,
        errors=(400, 404, 409, 413), answer=RedemptionResult,
    ),
    Operation(
        name="setProductStock", method="PUT", path="/v1/products/{productId}/stock", summary="Set a product's stock",
        run=set_stock, scope="admin:write", tag="Products", body=StockUpdate, answer=TYPES[PRODUCT.name].view,
        errors=(400, 404, 413),
    ),
]  # fmt: skip

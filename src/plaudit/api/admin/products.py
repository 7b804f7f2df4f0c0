"""What products have besides CRUD: their stock, and redeeming them."""

from typing import Annotated

from msgspec import Meta, Struct

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.schemas import INTEGER, OBJECTS, TEXT, TIME, object_of
from plaudit.api.http.wire import Json, UserId, time_text
from plaudit.api.run_command import run_command
from plaudit.api.views.base import View
from plaudit.api.views.coupon import COUPON_FIELDS, issued_coupon_view
from plaudit.api.views.documents import TYPES
from plaudit.core.commands.redemption import REDEMPTION_CAMPAIGN
from plaudit.core.event import REDEMPTION
from plaudit.core.metrics import to_number
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


async def redeem(call: Call) -> Json:
    """Spend what a product costs on it: balance, stock, code and coupon together, or nothing of it."""
    body: RedemptionRequest = call.body
    return await redeem_product(call, body.user_id, call.path["productId"], body.quantity)


async def redeem_product(call: Call, user_id: str, product_id: str, quantity: int) -> Json:
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
    result: Json = {
        "userId": user_id,
        "productId": product_id,
        "quantity": quantity,
        "redeemedAt": time_text(now),
        "eventId": f"evt_{event_id}",
        "transactions": [
            {
                "transactionId": f"txn_{transaction.transaction_id}",
                "metric": transaction.metric,
                "amount": to_number(transaction.amount, program.metrics[transaction.metric].decimals),
                "balanceAfter": to_number(transaction.balance_after, program.metrics[transaction.metric].decimals),
            }
            for transaction in decision.transactions
            if transaction.campaign_id == REDEMPTION_CAMPAIGN
        ],
    }
    for issue in decision.coupons:
        if issue.campaign_id == REDEMPTION_CAMPAIGN:
            result |= issued_coupon_view(programme, processed, issue)
    return {"message": "Product redeemed successfully", "result": result}


_REDEEMED = object_of(
    {"userId": TEXT, "productId": TEXT, "quantity": INTEGER, "redeemedAt": TIME, "transactions": OBJECTS},
    COUPON_FIELDS,
)

OPERATIONS = [
    Operation(
        name="redeemProduct", method="POST", path="/v1/products/{productId}/redeem",
        summary="Redeem a product for a member", run=redeem, scope="members:write", tag="Products", body=RedemptionRequest,
        errors=(400, 404, 409, 413), answer=object_of({"message": TEXT, "result": _REDEEMED}),
    ),
    Operation(
        name="setProductStock", method="PUT", path="/v1/products/{productId}/stock", summary="Set a product's stock",
        run=set_stock, scope="admin:write", tag="Products", body=StockUpdate, answer=TYPES[PRODUCT.name].view,
        errors=(400, 404, 413),
    ),
]  # fmt: skip

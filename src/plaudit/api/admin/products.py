"""The operations of products in addition to CRUD: their stock, and redemption."""

from typing import Annotated

from msgspec import Meta, Struct

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import UserId
from plaudit.api.shared.redemption import redeem_product
from plaudit.api.views.base import View
from plaudit.api.views.documents import TYPES
from plaudit.api.views.products import RedemptionResult
from plaudit.documents.kinds import KINDS

from .document_operations import update_document

PRODUCT = KINDS["product"]


class StockUpdate(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The total stock; null for unlimited."""

    allocated_stock: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None


async def set_stock(call: Call) -> View:
    """Set a product's total stock."""
    body: StockUpdate = call.body
    return await update_document(call, PRODUCT, call.path["productId"], {"allocatedStock": body.allocated_stock})


class RedemptionRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The user who redeems, and the quantity."""

    user_id: UserId
    quantity: Annotated[int, Meta(ge=1, le=1_000)] = 1


async def redeem(call: Call) -> RedemptionResult:
    """Redeem a product for a member. Balance, stock, code and coupon change together, or not at all."""
    body: RedemptionRequest = call.body
    return await redeem_product(call, body.user_id, call.path["productId"], body.quantity)


OPERATIONS = [
    Operation(
        name="redeemProduct", method="POST", path="/v1/products/{productId}/redeem",
        summary="Redeem a product for a member", run=redeem, scope="members:write", tag="Products", body=RedemptionRequest,
        errors=(400, 404, 409, 413), response=RedemptionResult,
    ),
    Operation(
        name="setProductStock", method="PUT", path="/v1/products/{productId}/stock", summary="Set a product's stock",
        run=set_stock, scope="admin:write", tag="Products", body=StockUpdate, response=TYPES[PRODUCT.name].view,
        errors=(400, 404, 413),
    ),
]  # fmt: skip

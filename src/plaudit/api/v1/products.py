"""The stock of products."""

from typing import Annotated

from msgspec import Meta, Struct

from plaudit.api.crud import updated
from plaudit.api.operations import Call, Operation
from plaudit.api.outside import Json
from plaudit.api.schemas import document_schema
from plaudit.documents.kinds import KINDS

PRODUCT = KINDS["product"]


class StockBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How many there are in all; null for no end of them."""

    allocated_stock: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None


async def set_stock(call: Call) -> Json:
    """Say how many of a product there are."""
    body: StockBody = call.body
    return await updated(call, PRODUCT, call.path["productId"], {"allocatedStock": body.allocated_stock})


OPERATIONS = [
    Operation(
        method="PUT", path="/v1/products/{productId}/stock", summary="Set the stock of a product", run=set_stock,
        scope="admin:write", tag="Products", body=StockBody, answer=document_schema(PRODUCT), errors=(400, 404, 413),
    ),
]  # fmt: skip

"""The stock of products, and the settings of the organisation."""

from typing import Annotated

from msgspec import Meta, Struct

from plaudit.api.crud import shown_document, updated
from plaudit.api.operations import Call, Operation
from plaudit.api.outside import Json
from plaudit.api.schemas import document_schema
from plaudit.documents.kinds import KINDS
from plaudit.documents.settings import SETTINGS_ID
from plaudit.storage import documents

PRODUCT = KINDS["product"]
SETTINGS = KINDS["settings"]


class StockBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How many there are in all; null for no end of them."""

    allocated_stock: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None


async def set_stock(call: Call) -> Json:
    """Say how many of a product there are."""
    body: StockBody = call.body
    return await updated(call, PRODUCT, call.path["productId"], {"allocatedStock": body.allocated_stock})


async def get_settings(call: Call) -> Json:
    """What the organisation has settled."""
    async with call.services.pool.acquire() as connection:
        stored = await documents.one(connection, call.org_id, SETTINGS, SETTINGS_ID)
    return shown_document(SETTINGS, call.org_id, stored)


async def put_settings(call: Call) -> Json:
    """Change settings: the fields given, no others."""
    return await updated(call, SETTINGS, SETTINGS_ID, call.body)


OPERATIONS = [
    Operation(
        method="PUT", path="/v1/products/{productId}/stock", summary="Set the stock of a product", run=set_stock,
        scope="admin:write", tag="Products", body=StockBody, answer=document_schema(PRODUCT), errors=(400, 404, 413),
    ),
    Operation(
        method="GET", path="/v1/settings", summary="The organisation's settings", run=get_settings,
        scope="admin:read", tag="Settings", answer=document_schema(SETTINGS), errors=(400, 404),
    ),
    Operation(
        method="PUT", path="/v1/settings", summary="Change settings", run=put_settings, scope="admin:write",
        tag="Settings", body={"type": "object"}, answer=document_schema(SETTINGS), errors=(400, 404, 413),
    ),
]  # fmt: skip

"""Products: what members can have, from a badge to a ticket."""

from typing import Annotated, Literal

from msgspec import Meta

from .base import Document, DocumentKind

Cost = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Product(Document, kw_only=True):
    """`allocatedStock` is how many there are in all; null for no end of them."""

    sku: Annotated[str, Meta(min_length=1, max_length=64)]
    type: Literal["badge", "unique_code_pool", "merchandise", "ticket", "entry"]
    status: Literal["active", "inactive", "draft"] = "active"
    points_cost: Cost = 0
    coins_cost: Cost = 0
    xp_cost: Cost = 0
    allocated_stock: Cost | None = None


KIND = DocumentKind(
    name="product",
    title="Product",
    collection="products",
    id_field="productId",
    id_prefix="prod_",
    type=Product,
    filters=("status", "type"),
)

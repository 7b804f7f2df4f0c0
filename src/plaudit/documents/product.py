"""Products: what members can own, from a badge to a ticket."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from plaudit.errors import FieldError

from .base import Document, DocumentKind, Instant, Media, Name, Reference
from .effect import AudienceSpec

Cost = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Product(Document, kw_only=True):
    """Something that members can own, from a badge to a ticket.

    `allocatedStock`: total stock, or null if unlimited. Costs, `startDate`, `endDate` (exclusive), `limitPerUser` and
    `segments` apply to redemption. `inventorySet`: the set in which members see it (default: its type). `link`: the page
    on which it can be used.
    """

    sku: Annotated[str, Meta(min_length=1, max_length=64)]
    type: Literal["badge", "unique_code_pool", "merchandise", "ticket", "entry"]
    status: Literal["active", "inactive", "draft"] = "active"
    points_cost: Cost = 0
    coins_cost: Cost = 0
    xp_cost: Cost = 0
    allocated_stock: Cost | None = None
    start_date: Instant | None = None
    end_date: Instant | None = None
    limit_per_user: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    segments: AudienceSpec | None = None
    inventory_set: Name | None = None
    media: Media | None = None
    link: Media | None = None


def _check(product: Product) -> Sequence[FieldError]:
    if product.start_date is not None and product.end_date is not None and product.end_date <= product.start_date:
        return [FieldError("endDate", "must be after startDate")]
    return ()


def _references(product: Product) -> Sequence[Reference]:
    return () if product.segments is None else product.segments.references("segments")


KIND = DocumentKind(
    name="product",
    title="Product",
    collection="products",
    id_field="productId",
    id_prefix="prod_",
    type=Product,
    filters=("status", "type"),
    check=_check,
    references=_references,
)

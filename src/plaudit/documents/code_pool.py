"""Code pools: the sources of products' unique codes. The codes themselves are rows in the database, not documents."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from .base import Document, DocumentId, DocumentKind, Instant, Reference


class CodePool(Document, kw_only=True):
    """The source of a product's unique codes.

    Generated codes start with `prefix`. No codes are issued from `expiresAt` on. Unless `caseSensitive`, `abc` and
    `ABC` are the same code.
    """

    product_id: DocumentId
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,32}$")] | None = None
    expires_at: Instant | None = None
    case_sensitive: bool = False
    status: Literal["active", "inactive"] = "active"


def _references(pool: CodePool) -> Sequence[Reference]:
    return (Reference("productId", "product", pool.product_id),)


KIND = DocumentKind(
    name="code_pool",
    title="Code pool",
    collection="code-pools",
    id_field="poolId",
    id_prefix="pool_",
    type=CodePool,
    filters=("status", "productId"),
    references=_references,
)

"""Response types of the operations on the codes of a pool."""

from typing import Literal

from .base import Time, View, page_of
from .coupon import CouponWorth


class _PoolCounts(View):
    pool_id: str
    total_codes: int
    available_codes: int


class CodesGenerated(_PoolCounts):
    """How many codes were generated, and the pool's total."""

    generated: int


class CodesImported(_PoolCounts):
    """How many codes were imported, how many the pool had before, and its total."""

    imported: int
    duplicates: int


class CodesExpired(_PoolCounts):
    """How many unissued codes have expired, and the pool's total."""

    expired: int


class Code(CouponWorth, kw_only=True):
    """A code of a pool: its state, its member, and its discount."""

    pool_id: str
    code: str
    status: Literal["available", "allocated", "redeemed", "revoked", "expired"]
    user_id: str | None
    coupon_id: str | None
    allocated_at: Time | None
    redeemed_at: Time | None
    revoked_at: Time | None
    expires_at: Time | None


class CouponRevoked(View):
    """A revoked coupon. Its code is not issued again."""

    coupon_id: str
    user_id: str
    code: str
    status: str


CodeList = page_of(Code, "codes")

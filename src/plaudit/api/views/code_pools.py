"""What the operations on the codes of a pool return."""

from typing import Literal

from .base import Time, View, page_of
from .coupon import CouponWorth


class _PoolCounts(View):
    pool_id: str
    total_codes: int
    available_codes: int


class CodesGenerated(_PoolCounts):
    """How many codes were generated, and how many the pool has now."""

    generated: int


class CodesImported(_PoolCounts):
    """How many codes were imported, how many were in the pool before, and how many it has now."""

    imported: int
    duplicates: int


class CodesExpired(_PoolCounts):
    """How many unissued codes have expired, and how many the pool has."""

    expired: int


class Code(CouponWorth, kw_only=True):
    """A code of a pool: its state, who has it, and what it is worth once it is issued."""

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
    """A coupon that was revoked. Nobody gets its code again."""

    coupon_id: str
    user_id: str
    code: str
    status: str


CodeList = page_of(Code, "codes")

"""What the API answers, as far as clients need it typed. Fields that are not named here are passed over."""

from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct, field

T = TypeVar("T")
Number = int | float


class Accepted(Struct, frozen=True, rename="camel"):
    """An action that is durable; `processed` when it was waited for, with what it led to in `outcome`."""

    event_id: str
    processed: bool
    message: str = ""
    outcome: dict[str, Any] = {}


class BatchItem(Struct, frozen=True, rename="camel"):
    """What became of one action of a batch: accepted, duplicate or refused."""

    index: int
    status: str
    event_id: str | None = None
    error: dict[str, Any] | None = None


class BatchResult(Struct, frozen=True):
    """What became of a batch, one by one."""

    accepted: int
    duplicate: int
    refused: int
    results: list[BatchItem]


class Balance(Struct, frozen=True):
    """What a member has of a metric. `available` is without what is pending or held."""

    balance: Number
    available: Number
    pending: Number = 0
    lifetime: Number = 0


class Item(Struct, frozen=True, rename="camel"):
    """A product that a member has."""

    product_id: str
    quantity: int
    name: str | None = None
    type: str | None = None


class Coupon(Struct, frozen=True, rename="camel"):
    """A code in a member's hands."""

    coupon_id: str
    code: str
    status: str
    origin: str
    expires_at: datetime | None = None


class Member(Struct, frozen=True, rename="camel"):
    """A member: balances by metric, badges, what they have; streaks, ladders and campaigns as the API shows them."""

    user_id: str
    metrics: dict[str, Balance]
    badges: list[str] = []
    inventory: list[Item] = []
    coupons: list[Coupon] = []
    segments: list[str] = []
    ladders: dict[str, dict[str, Any]] = {}
    streaks: dict[str, dict[str, Any]] = {}
    campaigns: dict[str, dict[str, Any]] = {}
    email: str | None = None
    phone: str | None = None


class Transaction(Struct, frozen=True, rename="camel"):
    """A change of a balance."""

    transaction_id: str
    user_id: str
    metric: str
    amount: Number
    balance_after: Number
    campaign_id: str
    occurred_at: datetime
    reason: str | None = None
    reverses: str | None = None


class Redeemed(Struct, frozen=True, rename="camel"):
    """A product that was redeemed, with its code if it has one."""

    user_id: str
    product_id: str
    quantity: int
    code: str | None = None
    coupon_id: str | None = None


class Notification(Struct, frozen=True, rename="camel"):
    """What a member is told, and what came with it."""

    notification_id: str
    type: str
    display: str
    message: str
    created_at: datetime
    title: str | None = None
    campaign_id: str | None = None
    read_at: datetime | None = None
    metrics: dict[str, dict[str, Number]] = {}
    items: list[dict[str, Any]] = []


class Page(Struct, Generic[T], frozen=True):
    """A part of a list, and the cursor to the next; None at the end."""

    items: list[T] = field(default_factory=list[T])
    cursor: str | None = None

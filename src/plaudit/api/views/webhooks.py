"""Response types of the operations on webhooks."""

from typing import Literal

from msgspec import UNSET, UnsetType

from plaudit.api.http.wire import optional_time, time_text
from plaudit.delivery.listeners import Row
from plaudit.messages import WebhookMessage

from .base import Time, View, page_of


class WebhookSecret(View):
    """The secret that signs a webhook's messages. `oldSecretEndsAt`: until then they are also signed with the old one."""

    webhook_id: str
    secret: str
    old_secret_ends_at: Time | UnsetType = UNSET


class WebhookState(View):
    """A webhook's state: the numbers of waiting and dead deliveries, and since when deliveries fail."""

    webhook_id: str
    status: str
    waiting: int
    dead: int
    failing_since: Time | None
    disabled_at: Time | None
    disabled_reason: str | None


class TestMessage(View):
    """A test message that is delivered like any other."""

    __test__ = False

    message: str
    message_id: str


class Delivery(View):
    """The delivery of a message to a webhook, with its last attempt."""

    delivery_id: str
    type: str
    state: Literal["waiting", "delivered", "dead"]
    attempts: int
    created_at: Time
    last_attempt_at: Time | None
    next_attempt_at: Time | None
    response_status: int | None
    error: str | None
    milliseconds: int | None


class ReplayResult(View):
    """How many messages were queued again."""

    queued: int


class MessageFeed(View):
    """Messages in order. Continue with `cursor`, even after the last message."""

    messages: list[WebhookMessage]
    cursor: str
    has_more: bool


DeliveryList = page_of(Delivery, "deliveries")


def delivery_view(row: Row) -> Delivery:
    """Return a delivery as clients see it."""
    return Delivery(
        delivery_id=f"msg_{row['message_id'].hex}",
        type=row["type"],
        state=row["state"],
        attempts=row["attempts"],
        created_at=time_text(row["created_at"]),
        last_attempt_at=optional_time(row["tried_at"]),
        next_attempt_at=time_text(row["next_at"]) if row["state"] == "waiting" else None,
        response_status=row["status"],
        error=row["error"],
        milliseconds=row["milliseconds"],
    )

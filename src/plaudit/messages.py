"""The types of messages to other systems. They encode the messages, and describe them in the API's documentation."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from plaudit.view import time_text

VERSION = "v1"
_ENCODER = msgspec.json.Encoder()

# A time as it is sent: RFC 3339 in milliseconds.
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class WebhookMessage(Struct, kw_only=True, rename="camel"):
    """A message. `id` is the same at each delivery; `data` depends on the `type`.

    `userId`, `eventId` and `occurredAt` are present if it is about a member and an event; `correlationId` is that of
    the request that caused it.
    """

    id: str
    type: str
    version: Literal["v1"]
    org_id: str
    created_at: Time
    data: dict[str, Any]
    user_id: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    occurred_at: Time | UnsetType = UNSET
    correlation_id: str | UnsetType = UNSET


class MessageData(Struct, kw_only=True, rename="camel"):
    """The data of messages of a type."""


class CauseData(MessageData):
    """Why something happened. `id` is null for some kinds."""

    kind: str
    id: str | None


class TransactionData(MessageData):
    """A posted transaction: a credit or a debit."""

    transaction_id: str
    metric: str
    type: Literal["credit", "debit"]
    amount: float
    balance_after: float
    campaign_id: str | None
    cause: CauseData
    reason: str | None


class NotificationData(MessageData):
    """A notification sent to a member."""

    notification_id: str
    type: str
    campaign_id: str | None
    cause: CauseData
    step: int | None
    display: str
    title: str | None
    message: str
    expires_at: Time | None


class CampaignData(MessageData):
    """A created, updated or archived campaign, and by whom."""

    campaign_id: str
    name: str
    status: str
    version: int
    changed_by: str


class WebhookDisabledData(MessageData):
    """A webhook that no longer receives messages, and why."""

    webhook_id: str
    reason: str


class WebhookTestData(MessageData):
    """The webhook that was tested, and by whom."""

    webhook_id: str
    sent_by: str


def payload_of(
    message_id: UUID,
    type: str,
    org_id: UUID,
    created_at: datetime,
    data: MessageData | dict[str, Any],
    *,
    user_id: str | None = None,
    event_id: UUID | None = None,
    occurred_at: datetime | None = None,
    correlation_id: str | None = None,
) -> str:
    """Return a message's body. For triggers, `data` is a dictionary with the trigger's fields."""
    message = WebhookMessage(
        id=f"msg_{message_id.hex}",
        type=type,
        version=VERSION,
        org_id=str(org_id),
        created_at=time_text(created_at),
        data=data,  # pyright: ignore[reportArgumentType]
        user_id=UNSET if user_id is None else user_id,
        event_id=UNSET if event_id is None else f"evt_{event_id}",
        occurred_at=UNSET if occurred_at is None else time_text(occurred_at),
        correlation_id=correlation_id or UNSET,
    )
    return _ENCODER.encode(message).decode()

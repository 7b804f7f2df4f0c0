"""The webhook messages in the OpenAPI document, one per type."""

from typing import Any

from msgspec import Struct

from plaudit.core.triggers import ENGINE_TRIGGERS, EngineTrigger
from plaudit.documents.webhook import (
    CAMPAIGN_EVENTS,
    NOTIFICATION_CREATED,
    TRANSACTION_CREATED,
    WEBHOOK_CALLED,
    WEBHOOK_DISABLED,
    WEBHOOK_TEST,
    names_of,
)
from plaudit.messages import (
    CampaignData,
    NotificationData,
    TransactionData,
    WebhookDisabledData,
    WebhookMessage,
    WebhookTestData,
)

from .http.schemas import TEXT

TAG = "Webhooks"


class MessageType(Struct, frozen=True):
    """A type of message: when it is sent, and its data, a type or a schema."""

    name: str
    sentence: str
    data: Any


_CREATED, _UPDATED, _ARCHIVED = CAMPAIGN_EVENTS
_OWN = (
    MessageType(_CREATED, "A campaign was created.", CampaignData),
    MessageType(_UPDATED, "A campaign was updated.", CampaignData),
    MessageType(_ARCHIVED, "A campaign was archived.", CampaignData),
    MessageType(TRANSACTION_CREATED, "A transaction was posted.", TransactionData),
    MessageType(NOTIFICATION_CREATED, "A member was sent a notification.", NotificationData),
    MessageType(WEBHOOK_DISABLED, "A webhook was disabled because its deliveries failed.", WebhookDisabledData),
    MessageType(WEBHOOK_TEST, "A webhook was tested.", WebhookTestData),
    MessageType(WEBHOOK_CALLED, "A campaign called the webhook.", {"type": "object"}),
)


def _of_trigger(row: EngineTrigger) -> list[MessageType]:
    fields: dict[str, Any] = {name: {"type": kind} for name, kind in row.fields.items()}
    return [MessageType(name, row.sentence, {"type": "object", "properties": fields}) for name in names_of(row.key)]


MESSAGE_TYPES = (*_OWN, *(message for row in ENGINE_TRIGGERS.values() for message in _of_trigger(row)))
# The types whose schemas the messages reference.
TYPES = (WebhookMessage, *dict.fromkeys(message.data for message in _OWN if isinstance(message.data, type)))

_HEADERS = {
    "webhook-id": "The id of the message, the same in every attempt.",
    "webhook-timestamp": "The time of this attempt, in UNIX seconds.",
    "webhook-signature": "`v1,` and the HMAC-SHA256 of id, timestamp and body, in base64 (Standard Webhooks).",
    "X-Monterosa-Signature": "`sha256=` and the HMAC-SHA256 of the raw body, in hex.",
}


def webhooks(of: Any) -> dict[str, Any]:
    """Return the `webhooks` of the OpenAPI document. `of` replaces the types in a schema by their schemas."""
    return {message.name: {"post": _described(message, of)} for message in MESSAGE_TYPES}


def _described(message: MessageType, of: Any) -> dict[str, Any]:
    own = {"type": "object", "properties": {"type": {"const": message.name}, "data": message.data}}
    return {
        "summary": message.sentence.rstrip("."),
        "description": "Also in `GET /v1/feed`. Return any 2xx to confirm the message; otherwise it is sent again, for 24 hours.",
        "tags": [TAG],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": description, "schema": TEXT}
            for name, description in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": of({"allOf": [WebhookMessage, own]})}},
        },
        "responses": {
            "2XX": {"description": "The message is confirmed."},
            "410": {"description": "Plaudit disables the webhook."},
        },
    }

"""Webhooks: the addresses at which other systems receive messages. A webhook without a `url` is read by `GET /v1/feed`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from plaudit import bounds
from plaudit.core.triggers import ENGINE_TRIGGERS, NEVER_FIRED, OUTSIDE_NAMES, TRIGGER_CHARACTER
from plaudit.errors import FieldError

from .base import Document, DocumentKind
from .conditions import check_conditions
from .dialects import trigger_key

EVERYTHING = "*"
CAMPAIGN_EVENTS = ("campaign.created", "campaign.updated", "campaign.archived")
TRANSACTION_CREATED = "transaction.created"
WEBHOOK_DISABLED = "webhook.disabled"
NOTIFICATION_CREATED = "notification.created"
WEBHOOK_TEST = "webhook.test"  # sent to the webhook that is tested, whatever its `events`
WEBHOOK_CALLED = "webhook.called"  # sent to the webhook that an effect calls, whatever its `events`
# The message types in addition to the engine's and the organisation's triggers (see core/triggers).
MESSAGE_TYPES = (*CAMPAIGN_EVENTS, TRANSACTION_CREATED, NOTIFICATION_CREATED, WEBHOOK_DISABLED)
_OTHERS = (*MESSAGE_TYPES, NEVER_FIRED, EVERYTHING)
EVENTS_MAX = 100

EventType = Annotated[str, Meta(pattern=rf"^(\*|{TRIGGER_CHARACTER}{{1,128}})$")]


class Webhook(Document, kw_only=True):
    """The address to which messages are sent. Without a `url`, they are only in `GET /v1/feed`.

    `events`: message types, or `*` for all. `conditions`: a filter by the message's data. `ordered`: deliver each
    member's messages in order; a message that fails holds back those after it. `payloadVersion`: the format of
    messages, which stays the same when a newer format is added.
    """

    url: Annotated[str, Meta(max_length=2_000)] | None = None
    events: list[EventType] = field(default_factory=lambda: [EVERYTHING])
    conditions: list[Any] | dict[str, Any] | None = None
    ordered: bool = False
    payload_version: Literal["v1"] = "v1"
    status: Literal["active", "inactive"] = "active"


def names_of(trigger: str) -> tuple[str, ...]:
    """Return the message types of a trigger: its own name, and its names in the documented API."""
    fired = ENGINE_TRIGGERS.get(trigger)
    return (trigger,) if fired is None else (trigger, *fired.also)


def wants(webhook: Webhook, type: str) -> bool:
    """Return whether a webhook receives messages of a type."""
    return type in webhook.events or EVERYTHING in webhook.events


def _check(webhook: Webhook) -> Sequence[FieldError]:
    wrong = check_conditions(webhook.conditions, "conditions")
    if not 1 <= len(webhook.events) <= EVENTS_MAX:
        wrong.append(FieldError("events", f"must have 1 to {EVENTS_MAX} items"))
    for i, event in enumerate(webhook.events):
        known = event in _OTHERS or event in ENGINE_TRIGGERS or event in OUTSIDE_NAMES
        if not known and trigger_key(event) in ENGINE_TRIGGERS:
            wrong.append(FieldError(f"events[{i}]", f"is an old name: use {trigger_key(event)}"))
    message = None if webhook.url is None else bounds.wrong_address(webhook.url, ("http", "https"))
    if message is not None:
        wrong.append(FieldError("url", message))
    return wrong


def _scopes(_before: dict[str, Any] | None, after: dict[str, Any]) -> frozenset[str]:
    """Require permission to read members for an active webhook: it sends their data to its address."""
    sends = after.get("url") is not None and after.get("status") == "active"
    return frozenset({"members:read"}) if sends else frozenset()


KIND = DocumentKind(
    name="webhook",
    title="Webhook",
    collection="webhooks",
    id_field="webhookId",
    id_prefix="wh_",
    type=Webhook,
    filters=("status",),
    check=_check,
    scopes=_scopes,
)

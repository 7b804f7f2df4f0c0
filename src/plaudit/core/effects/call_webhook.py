"""The effect `call_webhook`."""

from typing import Any

from msgspec import field

from plaudit.core.cause import cause_fields
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Message

from .effect_type import EffectSettings, EffectType, Id, NamedDocument


class CallWebhook(EffectSettings, frozen=True):
    webhook_id: Id
    data: dict[str, Any] = field(default_factory=dict[str, Any])


def apply(context: Context, place: EffectPlace, settings: CallWebhook) -> EffectTrace:
    """Send a message to one webhook: the cause, the event, and the effect's own data."""
    if context.is_silent:
        return EffectTrace(place.index, None, {"webhookId": None})
    data = {**cause_fields(place.cause), "trigger": context.event.trigger, "event": context.event.data}
    context.messages.append(Message("webhook.called", {**data, **settings.data}, settings.webhook_id))
    return EffectTrace(place.index, None, {"webhookId": settings.webhook_id})


EFFECT = EffectType(
    name="call_webhook",
    sentence="Send a message to one webhook.",
    settings=CallWebhook,
    references=(NamedDocument("webhook", "webhook_id"),),
    apply=apply,
)

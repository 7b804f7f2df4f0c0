"""Compiles notification templates, and the message types that webhooks receive."""

from collections.abc import Collection, Iterable
from datetime import timedelta

from plaudit.core.expressions import Template
from plaudit.core.program import Texts
from plaudit.core.triggers import ENGINE_TRIGGERS

from .template import MessageTemplate
from .webhook import NOTIFICATION_CREATED, TRANSACTION_CREATED, Webhook, names_of, wants


def texts_of(template: MessageTemplate) -> Texts:
    """Return a template's compiled texts."""
    by_locale = {
        locale: (None if texts_spec.title is None else Template(texts_spec.title), Template(texts_spec.message))
        for locale, texts_spec in template.texts.items()
    }
    return Texts(template.display, template.default_locale, by_locale, _duration(template.expires_after))


def _duration(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def outbound_of(webhooks: Collection[Webhook], own: Iterable[str], *, push: bool) -> dict[str, tuple[str, ...]]:
    """Return the message types that an active webhook receives, by the trigger that causes the messages.

    `own` are the organisation's triggers. With `push`, notifications are always messages, for Web Push.
    """
    active = [webhook for webhook in webhooks if webhook.status == "active"]
    types_by_trigger: dict[str, tuple[str, ...]] = {}
    if push:
        types_by_trigger[NOTIFICATION_CREATED] = (NOTIFICATION_CREATED,)
    for trigger in (*ENGINE_TRIGGERS, TRANSACTION_CREATED, NOTIFICATION_CREATED, *own):
        types = tuple(name for name in names_of(trigger) if any(wants(webhook, name) for webhook in active))
        if types:
            types_by_trigger[trigger] = types
    return types_by_trigger

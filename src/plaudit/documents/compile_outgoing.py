"""What leaves the engine, as the core has it: templates of notifications, and which messages anybody wants."""

from collections.abc import Collection, Iterable

from plaudit.core.effects import Texts
from plaudit.core.expressions import Template
from plaudit.core.triggers import ENGINE_TRIGGERS

from .template import MessageTemplate
from .webhook import TRANSACTION_CREATED, Webhook, names_of, wants


def texts_of(template: MessageTemplate) -> Texts:
    """A template's texts, ready to be filled in."""
    by_locale = {
        locale: (None if one.title is None else Template(one.title), Template(one.message))
        for locale, one in template.texts.items()
    }
    return Texts(template.display, template.default_locale, by_locale)


def outbound_of(webhooks: Collection[Webhook], own: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What other systems are told of each trigger, and of transactions: only what somebody wants."""
    active = [one for one in webhooks if one.status == "active"]
    found: dict[str, tuple[str, ...]] = {}
    for trigger in (*ENGINE_TRIGGERS, TRANSACTION_CREATED, *own):
        wanted = tuple(name for name in names_of(trigger) if any(wants(one, name) for one in active))
        if wanted:
            found[trigger] = wanted
    return found

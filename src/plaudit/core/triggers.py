"""The engine's own triggers, which it fires itself. Campaigns listen to them; clients may not report them."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

# What an action, a trigger or a type of message may be called: letters and digits of any script, and `._:-`.
TRIGGER_CHARACTER = r"[^\x00-\x2c\x2f\x3b-\x40\x5b-\x5e\x60\x7b-\xa0\s]"
TRIGGER_NAME = rf"^{TRIGGER_CHARACTER}{{1,128}}$(?!\n)"
TriggerName = Annotated[str, Meta(pattern=TRIGGER_NAME)]


class EngineTrigger(Struct, frozen=True):
    """A row of the table: the trigger's key, when it is fired, and the fields of its data.

    `also` are other names that the documents have for it: clients may use them, and webhooks are told by them too.
    """

    key: str
    sentence: str
    fields: dict[str, str]
    also: tuple[str, ...] = ()


_ROWS = (
    EngineTrigger("user.enrolled", "A member joined the programme.", {"userId": "string", "source": "string"}),
    EngineTrigger("user.referred", "Someone this member referred joined the programme.", {"userId": "string"}),
    EngineTrigger("user.updated", "A member's profile changed.", {"fields": "array"}),
    EngineTrigger("user.merged", "Another member was merged into this member.", {"userId": "string", "from": "string"}),
    EngineTrigger(
        "metric.changed",
        "A member's balance changed.",
        {"metric": "string", "amount": "number", "balance": "number", "previous": "number"},
    ),
    EngineTrigger(
        "metric.expiring",
        "Part of a balance will expire in `remindDays` days.",
        {"metric": "string", "amount": "number", "expiresAt": "string"},
    ),
    EngineTrigger("metric.expired", "Part of a balance expired.", {"metric": "string", "amount": "number"}),
    EngineTrigger("metric.released", "A pending amount became available.", {"metric": "string", "amount": "number"}),
    EngineTrigger(
        "step.completed",
        "A member completed a step of a campaign.",
        {"campaignId": "string", "step": "number", "name": "string"},
    ),
    EngineTrigger(
        "product.received",
        "A member received a product.",
        {"productId": "string", "type": "string", "quantity": "number"},
    ),
    EngineTrigger("product.redeemed", "A member redeemed a product.", {"productId": "string", "quantity": "number"}),
    EngineTrigger(
        "user.badge_earned",
        "A member earned a badge.",
        {"productId": "string", "type": "string", "quantity": "number"},
    ),
    EngineTrigger(
        "campaign.completed", "A member completed a campaign.", {"campaignId": "string", "completions": "number"}
    ),
    EngineTrigger("reward.granted", "A member was granted a reward.", {"rewardId": "string", "rewardType": "string"}),
)

# The mechanics add theirs (see `mechanics.registry`).
ENGINE_TRIGGERS: dict[str, EngineTrigger] = {row.key: row for row in _ROWS}

NEVER_FIRED = "schedule"  # reserved, and nothing may listen to it
# The other names of the engine's triggers, with the triggers' own.
OUTSIDE_NAMES: dict[str, str] = {name: row.key for row in _ROWS for name in row.also}


def add_triggers(triggers: Iterable[EngineTrigger]) -> None:
    """Add triggers of a mechanic."""
    for trigger in triggers:
        ENGINE_TRIGGERS[trigger.key] = trigger
        OUTSIDE_NAMES.update(dict.fromkeys(trigger.also, trigger.key))


def remove_triggers(triggers: Iterable[EngineTrigger]) -> None:
    """Remove triggers of a mechanic."""
    for trigger in triggers:
        del ENGINE_TRIGGERS[trigger.key]
        for name in trigger.also:
            del OUTSIDE_NAMES[name]


def is_reserved(trigger: str) -> bool:
    """Return whether a trigger is the engine's to fire, and nobody else's.

    Its families (`product.…`, `campaign.…`) are not: a shop's own `product.viewed` is an action like any other. So a new
    trigger of the engine must be one that nobody is likely to use.
    """
    return trigger in ENGINE_TRIGGERS or trigger == NEVER_FIRED or trigger in OUTSIDE_NAMES

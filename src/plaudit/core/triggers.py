"""The triggers that the engine itself fires. Campaigns listen to them; clients must not report them."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

# The characters in the names of actions, triggers and message types: letters and digits of any script, and `._:-`.
TRIGGER_CHARACTER = r"[^\x00-\x2c\x2f\x3b-\x40\x5b-\x5e\x60\x7b-\xa0\s]"
TRIGGER_NAME = rf"^{TRIGGER_CHARACTER}{{1,128}}$(?!\n)"
TriggerName = Annotated[str, Meta(pattern=TRIGGER_NAME)]


class EngineTrigger(Struct, frozen=True):
    """An engine trigger: its key, a sentence on when it fires, and the fields of its data.

    `also` has other documented names: clients can use them, and webhooks can subscribe to them.
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

NEVER_FIRED = "schedule"  # reserved, but never fired, so nothing can listen to it
# Engine triggers' other names, with their keys.
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
    """Return whether only the engine can fire a trigger.

    Prefixes (`product.…`, `campaign.…`) are not reserved: a shop can report its own `product.viewed`. So a new engine
    trigger must have a key that clients are unlikely to use.
    """
    return trigger in ENGINE_TRIGGERS or trigger == NEVER_FIRED or trigger in OUTSIDE_NAMES

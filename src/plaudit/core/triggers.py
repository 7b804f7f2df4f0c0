"""The engine's own triggers: what it fires itself. Campaigns listen to them; clients may not report them."""

from typing import Annotated

from msgspec import Meta, Struct

# What an action, a trigger or a type of message may be called: letters and digits of any script, and `._:-`.
TRIGGER_CHARACTER = r"[^\x00-\x2c\x2f\x3b-\x40\x5b-\x5e\x60\x7b-\xa0\s]"
TRIGGER_NAME = rf"^{TRIGGER_CHARACTER}{{1,128}}$(?!\n)"
TriggerName = Annotated[str, Meta(pattern=TRIGGER_NAME)]


class EngineTrigger(Struct, frozen=True):
    """A row of the table: the trigger's key, when it is fired, and the fields of its data."""

    key: str
    sentence: str
    fields: dict[str, str]


_ROWS = (
    EngineTrigger("user.enrolled", "A member has joined the programme.", {"userId": "string", "source": "string"}),
    EngineTrigger("user.referred", "Somebody whom a member referred has joined.", {"userId": "string"}),
    EngineTrigger("user.updated", "A member's profile was changed.", {"fields": "array"}),
    EngineTrigger("user.merged", "Another member goes on as this one.", {"userId": "string", "from": "string"}),
    EngineTrigger(
        "metric.changed",
        "A member's balance has changed.",
        {"metric": "string", "amount": "number", "balance": "number", "previous": "number"},
    ),
    EngineTrigger(
        "metric.expiring",
        "Something expires soon: as many days before as the metric says.",
        {"metric": "string", "amount": "number", "expiresAt": "string"},
    ),
    EngineTrigger("metric.expired", "Something has expired.", {"metric": "string", "amount": "number"}),
    EngineTrigger("metric.released", "What was pending can be spent now.", {"metric": "string", "amount": "number"}),
    EngineTrigger(
        "step.completed",
        "A member has done a step of a campaign.",
        {"campaignId": "string", "step": "number", "name": "string"},
    ),
    EngineTrigger(
        "product.received",
        "A member was given a product.",
        {"productId": "string", "type": "string", "quantity": "number"},
    ),
    EngineTrigger(
        "product.redeemed", "A member has redeemed a product.", {"productId": "string", "quantity": "number"}
    ),
    EngineTrigger(
        "user.badge_earned",
        "A member was given a badge.",
        {"productId": "string", "type": "string", "quantity": "number"},
    ),
    EngineTrigger(
        "campaign.completed", "A member has completed a campaign.", {"campaignId": "string", "completions": "number"}
    ),
    EngineTrigger(
        "ladder.rung_changed",
        "A member has got on to another rung; `user.tier_changed` is the same.",
        {"ladderId": "string", "oldRung": "string", "newRung": "string", "direction": "string"},
    ),
    EngineTrigger("segment.entered", "A member has come into a segment.", {"segmentId": "string"}),
    EngineTrigger("segment.left", "A member has left a segment.", {"segmentId": "string"}),
    EngineTrigger(
        "competition.promoted",
        "A member has gone up a division of a league.",
        {"competitionId": "string", "division": "string", "rank": "number", "round": "string"},
    ),
    EngineTrigger(
        "competition.relegated",
        "A member has gone down a division of a league.",
        {"competitionId": "string", "division": "string", "rank": "number", "round": "string"},
    ),
    EngineTrigger(
        "competition.ended",
        "A competition, or a round of a league, is over, and the member has won a prize in it.",
        {"competitionId": "string", "rank": "number"},
    ),
    EngineTrigger("reward.granted", "A member was given a reward.", {"rewardId": "string", "rewardType": "string"}),
)

# The mechanics add theirs (see `mechanics.registry`).
ENGINE_TRIGGERS: dict[str, EngineTrigger] = {row.key: row for row in _ROWS}

NEVER_FIRED = "schedule"  # reserved, and nothing may listen to it
OUTSIDE = ("user.tier_changed", NEVER_FIRED)


def is_reserved(trigger: str) -> bool:
    """Return whether a trigger is the engine's to fire, and nobody else's.

    Its families (`product.…`, `campaign.…`) are not: a shop's own `product.viewed` is an action like any other. So a new
    trigger of the engine must be one that nobody is likely to use.
    """
    return trigger in ENGINE_TRIGGERS or trigger in OUTSIDE

"""The engine's trigger that ladders fire."""

from typing import Final

from plaudit.core.triggers import EngineTrigger

RUNG_CHANGED: Final = "ladder.rung_changed"

TRIGGERS = (
    EngineTrigger(
        RUNG_CHANGED,
        "A member moved to another rung. Also written `user.tier_changed`.",
        {"ladderId": "string", "oldRung": "string", "newRung": "string", "direction": "string"},
        also=("user.tier_changed",),
    ),
)

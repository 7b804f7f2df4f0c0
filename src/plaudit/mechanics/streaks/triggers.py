"""The engine's triggers that streaks fire."""

from typing import Final

from plaudit.core.triggers import EngineTrigger

EXTENDED: Final = "streak.extended"

TRIGGERS = (
    EngineTrigger(
        EXTENDED,
        "A streak grew by one day, week or month.",
        {"streakId": "string", "length": "number", "longest": "number"},
    ),
    EngineTrigger("streak.milestone", "A streak reached a milestone.", {"streakId": "string", "length": "number"}),
    EngineTrigger(
        "streak.frozen",
        "A freeze was used for a missed day, week or month.",
        {"streakId": "string", "freezes": "number"},
    ),
    EngineTrigger(
        "streak.broken",
        "A streak broke. The event's time is the moment it broke.",
        {"streakId": "string", "length": "number"},
    ),
    EngineTrigger("streak.repaired", "A broken streak was repaired.", {"streakId": "string"}),
)

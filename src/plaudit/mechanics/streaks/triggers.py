"""The engine's triggers that streaks fire."""

from typing import Final

from plaudit.core.triggers import EngineTrigger

EXTENDED: Final = "streak.extended"

TRIGGERS = (
    EngineTrigger(
        EXTENDED, "One more turn of a streak counts.", {"streakId": "string", "length": "number", "longest": "number"}
    ),
    EngineTrigger("streak.milestone", "A streak has reached a milestone.", {"streakId": "string", "length": "number"}),
    EngineTrigger("streak.frozen", "A freeze has spared a miss.", {"streakId": "string", "freezes": "number"}),
    EngineTrigger(
        "streak.broken", "A streak was broken, at this very instant.", {"streakId": "string", "length": "number"}
    ),
    EngineTrigger("streak.repaired", "A broken streak was taken up again.", {"streakId": "string"}),
)

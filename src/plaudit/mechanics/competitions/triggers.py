"""The engine's triggers that competitions fire."""

from typing import Final

from plaudit.core.triggers import EngineTrigger

PROMOTED: Final = "competition.promoted"
RELEGATED: Final = "competition.relegated"
ENDED: Final = "competition.ended"

TRIGGERS = (
    EngineTrigger(
        PROMOTED,
        "A member was promoted to a higher division of a league.",
        {"competitionId": "string", "division": "string", "rank": "number", "round": "string"},
    ),
    EngineTrigger(
        RELEGATED,
        "A member was relegated to a lower division of a league.",
        {"competitionId": "string", "division": "string", "rank": "number", "round": "string"},
    ),
    EngineTrigger(
        ENDED,
        "A competition or league round ended and the member won a prize.",
        {"competitionId": "string", "rank": "number"},
    ),
)

"""The engine's triggers that segments fire."""

from typing import Final

from plaudit.core.triggers import EngineTrigger

ENTERED: Final = "segment.entered"
LEFT: Final = "segment.left"

TRIGGERS = (
    EngineTrigger(ENTERED, "A member entered a segment.", {"segmentId": "string"}),
    EngineTrigger(LEFT, "A member left a segment.", {"segmentId": "string"}),
)

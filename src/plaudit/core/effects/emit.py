"""The effect `emit`."""

from collections.abc import Sequence
from typing import Any

from msgspec import field

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace
from plaudit.core.triggers import NEVER_FIRED, TriggerName, is_reserved

from .effect_type import EffectSettings, EffectType, NamedDocument, SettingsError


class Emit(EffectSettings, frozen=True):
    trigger: TriggerName
    data: dict[str, Any] = field(default_factory=dict[str, Any])


def check(settings: Emit) -> Sequence[SettingsError]:
    if is_reserved(settings.trigger) and settings.trigger != NEVER_FIRED:
        return (SettingsError("trigger", f"is reserved for the engine's own triggers (got {settings.trigger!r})"),)
    return ()


def apply(context: Context, place: EffectPlace, settings: Emit) -> EffectTrace:
    """Fire one of the organisation's own triggers. Campaigns that listen to it are evaluated in the same decision."""
    context.emit(settings.trigger, settings.data, place.cause)
    return EffectTrace(place.index, None, {"trigger": settings.trigger})


EFFECT = EffectType(
    name="emit",
    sentence="Fire a trigger that other campaigns can listen to. The engine's own triggers are refused.",
    settings=Emit,
    field_aliases={"eventType": "trigger"},
    references=(NamedDocument("trigger", "trigger", required=False),),
    check=check,
    apply=apply,
)

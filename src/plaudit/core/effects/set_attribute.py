"""The effect `set_attribute`. The rules for profiles decide which fields it can set."""

from typing import Annotated

from msgspec import Meta

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace

from .effect_type import EffectSettings, EffectType


class SetAttribute(EffectSettings, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    value: str | int | float | bool | None = None


def apply(context: Context, place: EffectPlace, settings: SetAttribute) -> EffectTrace:
    """Set a field of the member's profile; null removes it."""
    context.write_profile({settings.name: settings.value})
    context.changed_parts.add("user")
    return EffectTrace(place.index, None, {settings.name: settings.value})


EFFECT = EffectType(
    name="set_attribute",
    sentence="Set a profile field; null removes it.",
    settings=SetAttribute,
    profile_field=("name", "value"),
    apply=apply,
)

"""The effect `grant_freeze`."""

from plaudit.core import streaks
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Refusal

from .effect_type import EffectSettings, EffectType, Id, NamedDocument, Quantity


class GrantFreeze(EffectSettings, frozen=True):
    streak_id: Id
    quantity: Quantity = 1


def apply(context: Context, place: EffectPlace, settings: GrantFreeze) -> EffectTrace:
    """Give the member freezes for a streak."""
    streak = context.program.streaks.get(settings.streak_id)
    if streak is None:
        return EffectTrace(place.index, Refusal.streak_missing, settings.streak_id)
    refusal = streaks.grant_freezes(context, streak, settings.quantity)
    return EffectTrace(place.index, refusal, settings.quantity)


EFFECT = EffectType(
    name="grant_freeze",
    sentence="Give the member freezes for a streak.",
    settings=GrantFreeze,
    references=(NamedDocument("streak", "streak_id"),),
    apply=apply,
)

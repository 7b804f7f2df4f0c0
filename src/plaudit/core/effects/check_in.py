"""The effect `check_in`."""

from plaudit.core import streaks
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Refusal

from .effect_type import EffectSettings, EffectType, Id, NamedDocument


class CheckIn(EffectSettings, frozen=True):
    streak_id: Id


def apply(context: Context, place: EffectPlace, settings: CheckIn) -> EffectTrace:
    """Check the member in to a streak. A period that counts already is no refusal."""
    streak = context.program.streaks.get(settings.streak_id)
    if streak is None:
        return EffectTrace(place.index, Refusal.streak_missing, settings.streak_id)
    refusal, fields, _ = streaks.check_in(context, streak)
    return EffectTrace(place.index, None if refusal is Refusal.turn_counted else refusal, fields)


EFFECT = EffectType(
    name="check_in",
    sentence="Check the member in to a streak.",
    settings=CheckIn,
    references=(NamedDocument("streak", "streak_id"),),
    apply=apply,
)

"""The effects of streaks: `check_in` and `grant_freeze`."""

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace
from plaudit.core.effects.effect_type import EffectSettings, EffectType, Id, NamedDocument, Quantity

from . import rules
from .compiled import streak_of
from .refusals import StreakRefusal
from .state import KIND


class CheckIn(EffectSettings, frozen=True):
    streak_id: Id


def check_in(context: Context, place: EffectPlace, settings: CheckIn) -> EffectTrace:
    """Check the member in to a streak. A second check-in for a period is not a refusal."""
    streak = streak_of(context.program, settings.streak_id)
    if streak is None:
        return EffectTrace(place.index, StreakRefusal.streak_not_found, settings.streak_id)
    refusal, fields, _ = rules.check_in(context, streak)
    return EffectTrace(place.index, None if refusal is StreakRefusal.already_checked_in else refusal, fields)


class GrantFreeze(EffectSettings, frozen=True):
    streak_id: Id
    quantity: Quantity = 1


def grant_freeze(context: Context, place: EffectPlace, settings: GrantFreeze) -> EffectTrace:
    """Give the member freezes for a streak."""
    streak = streak_of(context.program, settings.streak_id)
    if streak is None:
        return EffectTrace(place.index, StreakRefusal.streak_not_found, settings.streak_id)
    refusal = rules.grant_freezes(context, streak, settings.quantity)
    return EffectTrace(place.index, refusal, settings.quantity)


_STREAK = NamedDocument(KIND, "streak_id")

EFFECTS = (
    EffectType(
        name="check_in",
        sentence="Check the member in to a streak.",
        settings=CheckIn,
        references=(_STREAK,),
        apply=check_in,
    ),
    EffectType(
        name="grant_freeze",
        sentence="Give the member freezes for a streak.",
        settings=GrantFreeze,
        references=(_STREAK,),
        apply=grant_freeze,
    ),
)

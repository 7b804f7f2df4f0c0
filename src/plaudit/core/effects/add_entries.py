"""The effect `add_entries`."""

from plaudit.core.competitions import is_open
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Refusal

from .effect_type import EffectSettings, EffectType, Id, NamedDocument, Quantity


class AddEntries(EffectSettings, frozen=True):
    competition_id: Id
    entries: Quantity = 1


def apply(context: Context, place: EffectPlace, settings: AddEntries) -> EffectTrace:
    """Give the member entries in a competition that is open at the time of the event."""
    competition = context.program.competitions.get(settings.competition_id)
    if competition is None:
        return EffectTrace(place.index, Refusal.competition_not_found, settings.competition_id)
    if not is_open(competition, context.now):
        return EffectTrace(place.index, Refusal.competition_not_open, settings.competition_id)
    if context.member.user_id in competition.excluded:
        return EffectTrace(place.index, Refusal.excluded_from_competition, settings.competition_id)
    entries = context.member.entries
    entries[settings.competition_id] = entries.get(settings.competition_id, 0) + settings.entries
    return EffectTrace(place.index, None, {"competitionId": settings.competition_id, "entries": settings.entries})


EFFECT = EffectType(
    name="add_entries",
    sentence="Give the member entries in a competition.",
    settings=AddEntries,
    references=(NamedDocument("competition", "competition_id"),),
    needs=("entries",),
    apply=apply,
)

"""The effect of competitions, `add_entries`, and the reward that does the same."""

from collections.abc import Mapping
from typing import Any

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace
from plaudit.core.effects.effect_type import EffectSettings, EffectType, Id, NamedDocument, Quantity
from plaudit.core.program import Effect
from plaudit.mechanics.base import MechanicReward

from .compiled import competition_of
from .refusals import CompetitionRefusal
from .state import ENTRIES, KIND
from .state import add_entries as add_to_entries


class AddEntries(EffectSettings, frozen=True):
    competition_id: Id
    entries: Quantity = 1


def add_entries(context: Context, place: EffectPlace, settings: AddEntries) -> EffectTrace:
    """Give the member entries in a competition that is open at the time of the event."""
    competition = competition_of(context.program, settings.competition_id)
    if competition is None:
        return EffectTrace(place.index, CompetitionRefusal.competition_not_found, settings.competition_id)
    if not competition.is_open(context.now):
        return EffectTrace(place.index, CompetitionRefusal.competition_not_open, settings.competition_id)
    if context.member.user_id in competition.excluded:
        return EffectTrace(place.index, CompetitionRefusal.excluded_from_competition, settings.competition_id)
    add_to_entries(context.member, settings.competition_id, settings.entries)
    return EffectTrace(place.index, None, {"competitionId": settings.competition_id, "entries": settings.entries})


ADD_ENTRIES = EffectType(
    name="add_entries",
    sentence="Give the member entries in a competition.",
    settings=AddEntries,
    references=(NamedDocument(KIND, "competition_id"),),
    needs=(ENTRIES,),
    apply=add_entries,
)
EFFECTS = (ADD_ENTRIES,)


def _effect_of_reward(config: Mapping[str, Any]) -> Effect:
    settings = AddEntries(competition_id=config["competitionId"], entries=config.get("entries", 1))
    return Effect(ADD_ENTRIES.name, settings)


REWARDS = (
    MechanicReward(
        name="competition_entry",
        document_kind=KIND,
        id_field="competitionId",
        number_field="entries",
        effect=_effect_of_reward,
    ),
)

"""Streaks as a mechanic: connects their modules to the protocol."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import structs

from plaudit.core.context import Context
from plaudit.core.decision import Trace
from plaudit.core.member import Member
from plaudit.core.metrics import Metric
from plaudit.core.program import Effect, MechanicListener, Program
from plaudit.mechanics.base import CompiledByKind, CompiledDocuments, DocumentsByKind, Mechanic

from . import commands, compiling, effects, recount, rules, soundness
from .campaign_part import CAMPAIGN_PART
from .compiled import Streak
from .document import DOCUMENT
from .fields import PROFILE_FIELDS
from .refusals import FORMER, MEANINGS
from .state import KIND, StreakState, streak_fields, streaks_of
from .triggers import TRIGGERS
from .view import StreakProgress, StreakStanding, streak_standings, streak_view


class Streaks(Mechanic):
    """The mechanic of streaks."""

    kind = KIND
    collection = "streaks"
    state = StreakState
    document = DOCUMENT
    campaign_part = CAMPAIGN_PART
    effects = effects.EFFECTS
    commands = (commands.COMMAND,)
    triggers = TRIGGERS
    refusals = MEANINGS
    former_refusals = FORMER
    profile_fields = PROFILE_FIELDS
    property_parts = (("current", "number"), ("longest", "number"))
    state_view = StreakProgress
    own_view = StreakStanding
    counts_events = True
    recount_invariant = recount.INVARIANT
    scope_parts = ("current", "longest", "freezes", "alive")

    def compile(
        self, documents: DocumentsByKind, metrics: Mapping[str, Metric], others: CompiledByKind
    ) -> CompiledDocuments:
        return compiling.compile_streaks(documents, metrics)

    def all_documents(self, documents: DocumentsByKind) -> Mapping[str, Any]:
        return compiling.all_documents(documents)

    def effects_of(self, compiled: Streak) -> Iterable[Effect]:
        return (effect for milestone in compiled.milestones for effect in milestone.effects)

    def scope_fields(self, compiled: Streak | None, state: StreakState) -> dict[str, Any]:
        return streak_fields(state)

    def view(self, program: Program, member: Member, document_id: str, now: datetime) -> StreakProgress:
        return streak_view(streaks_of(member)[document_id])

    def own_views(self, program: Program, member: Member, now: datetime) -> list[StreakStanding]:
        return streak_standings(program, member)

    def meet(self, context: Context, listener: MechanicListener) -> Trace:
        return rules.meet(context, listener)

    def is_dormant(self, compiled: Streak) -> bool:
        return not compiled.active

    def run_due(self, context: Context, compiled: Streak, state: StreakState) -> None:
        rules.miss_period(context, compiled, state)

    def update_profile(self, context: Context) -> None:
        rules.update_time_zone(context)

    def fresh(self, compiled: Streak | None) -> StreakState:
        return rules.fresh(compiled)

    def take_over(self, context: Context, document_id: str, compiled: Streak, state: StreakState) -> None:
        rules.take_over(context, compiled, state)

    def is_rolled_back(self, state: StreakState, would: StreakState | None) -> bool:
        return state != would and state.longest >= (0 if would is None else would.longest)

    def unsound(self, state: StreakState) -> Iterator[str]:
        return soundness.unsound(state)

    def recount(self) -> recount.StreakRecount:
        return recount.StreakRecount()

    def comparable_state(self, replayed: StreakState, stored: StreakState | None) -> StreakState:
        """Ignore `given` and `chosen` if the stored state does not have them from the start."""
        if stored is None or (stored.given and stored.given[0][0] is None):
            return replayed
        return structs.replace(replayed, given=stored.given, chosen=stored.chosen)


MECHANIC: Final = Streaks()

"""Competitions as a mechanic: connects their modules to the protocol."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from plaudit.core.context import Context
from plaudit.core.decision import Trace
from plaudit.core.member import Member
from plaudit.core.metrics import Metric
from plaudit.core.program import MechanicListener, Program
from plaudit.mechanics.base import CompiledByKind, CompiledDocuments, DocumentsByKind, Mechanic

from . import commands, compiling, scores, undoing
from .campaign_part import CAMPAIGN_PART
from .compiled import Competition
from .document import DOCUMENT
from .effects import EFFECTS, REWARDS
from .fields import PROFILE_FIELDS
from .refusals import ERROR_CODES, FORMER, MEANINGS
from .state import ENTRIES, KIND, STANDINGS, TABLES, CompetitionState, Standing, entries_of
from .triggers import TRIGGERS


class _Logged(msgspec.Struct):
    """Standings and entries in a logged order, by the competitions' ids."""

    standings: dict[str, Standing] = {}
    entries: dict[str, int] = {}


class Competitions(Mechanic):
    """The mechanic of competitions."""

    kind = KIND
    collection = "competitions"
    state = CompetitionState
    tables = TABLES
    says_what_counted = True
    undone_first = False
    undone_counts = (ENTRIES,)
    document = DOCUMENT
    campaign_part = CAMPAIGN_PART
    effects = EFFECTS
    rewards = REWARDS
    commands = (commands.COMMAND,)
    triggers = TRIGGERS
    refusals = MEANINGS
    former_refusals = FORMER
    error_codes = ERROR_CODES
    profile_fields = PROFILE_FIELDS
    state_view = int
    profile_field = ENTRIES

    def compile(
        self, documents: DocumentsByKind, metrics: Mapping[str, Metric], others: CompiledByKind
    ) -> CompiledDocuments:
        return compiling.compile_competitions(documents, metrics)

    def all_documents(self, documents: DocumentsByKind) -> Mapping[str, Any]:
        return compiling.all_documents(documents)

    def states_to_show(self, documents: Mapping[str, Any], states: Mapping[str, Any]) -> dict[str, Any]:
        """Return the states with entries, including those in deleted competitions."""
        return {key: state for key, state in states.items() if state.entries}

    def view(self, program: Program, member: Member, document_id: str, now: datetime) -> int:
        return entries_of(member)[document_id]

    def meet(self, context: Context, listener: MechanicListener) -> Trace | None:
        return scores.meet(context, listener.target)

    def count_earned(
        self, context: Context, compiled: Competition, amount: int, at: datetime, counted_in: frozenset[str] | None
    ) -> Trace | None:
        return scores.count_earned(context, compiled, amount, at, counted_in)

    def has_counted(
        self, compiled: Competition, trace: Iterable[Trace], user_id: str, now: datetime, at: datetime
    ) -> bool:
        return scores.has_counted(compiled, trace, user_id, now, at)

    def take_over(self, context: Context, document_id: str, compiled: Competition, state: CompetitionState) -> None:
        scores.take_over(context, compiled, document_id, state)

    def add_former(self, context: Context, document_id: str, state: CompetitionState) -> None:
        scores.take_over(context, None, document_id, state)

    def to_undo(self, program: Program, real: Member, would: Member) -> dict[str, Any]:
        return undoing.to_undo(program, real, would)

    def undo(self, context: Context, parts: Mapping[str, undoing.Excess]) -> None:
        undoing.undo(context, parts)

    def count_undone(
        self, before: Mapping[str, CompetitionState], after: Mapping[str, CompetitionState]
    ) -> dict[str, int]:
        return undoing.count_undone(before, after)

    def undone_from_log(self, data: Mapping[str, Any]) -> dict[str, undoing.Excess]:
        return undoing.from_log(data)

    def undone_as_logged(self, parts: Mapping[str, undoing.Excess]) -> dict[str, Any]:
        return undoing.as_logged(parts)

    def without_due(self, state: CompetitionState) -> CompetitionState:
        return state

    def states_from_log(self, data: Mapping[str, Any]) -> dict[str, CompetitionState]:
        logged = msgspec.convert(
            {name: data.get(name) or {} for name in (STANDINGS, ENTRIES)}, _Logged, strict=False, str_keys=True
        )
        ids = dict.fromkeys((*logged.standings, *logged.entries))
        return {key: CompetitionState(logged.standings.get(key), logged.entries.get(key, 0)) for key in ids}

    def states_as_logged(self, states: Mapping[str, CompetitionState]) -> dict[str, Any]:
        standings = {key: state.standing for key, state in states.items() if state.standing is not None}
        entries = {key: state.entries for key, state in states.items() if state.entries}
        return {STANDINGS: msgspec.to_builtins(standings), ENTRIES: entries}


MECHANIC: Final = Competitions()

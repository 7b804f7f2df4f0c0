"""Ladders as a mechanic: connects their modules to the protocol."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import structs

from plaudit.core.context import Context
from plaudit.core.decision import RefusalCode
from plaudit.core.ledger.earned import Earned
from plaudit.core.member import Member
from plaudit.core.metrics import Metric
from plaudit.core.program import Effect, Program
from plaudit.mechanics.base import CompiledByKind, CompiledDocuments, DocumentsByKind, Mechanic

from . import commands, compiling, fields, imported, rules, soundness, undoing
from .compiled import Ladder
from .document import DOCUMENT
from .placing import placed
from .refusals import FORMER, MEANINGS
from .rungs import renumbered, rung_for
from .state import KIND, LadderState, ladders_of
from .triggers import TRIGGERS
from .view import LadderPlace, LadderProgress, ladder_places, ladder_view


class Ladders(Mechanic):
    """The mechanic of ladders."""

    kind = KIND
    collection = "ladders"
    state = LadderState
    document = DOCUMENT
    commands = (commands.COMMAND,)
    triggers = TRIGGERS
    refusals = MEANINGS
    former_refusals = FORMER
    profile_fields = fields.PROFILE_FIELDS
    property_parts = (("rung", "string"),)
    property_group = "loyalty"
    state_view = LadderProgress
    own_view = LadderPlace
    own_summary = "List the member's rungs and what is next"
    scope_parts = ("rung", "number")
    moves_members = True
    renews_states = True
    undone_first = False
    undo_name = undoing.NAME
    undo_type = undoing.Reached
    undone_counts = (undoing.COUNT,)
    import_name = "rungs"
    import_type = imported.ImportedRung
    import_spelling = str | imported.ImportedRung

    def compile(
        self, documents: DocumentsByKind, metrics: Mapping[str, Metric], others: CompiledByKind
    ) -> CompiledDocuments:
        return compiling.compile_ladders(documents[KIND], metrics)

    def effects_of(self, compiled: Ladder) -> Iterable[Effect]:
        return (effect for rung in compiled.rungs for effect in rung.effects)

    def scope_fields(self, compiled: Ladder | None, state: LadderState) -> dict[str, Any]:
        return fields.ladder_fields(compiled, state)

    def path_of(self, field: str, documents: Mapping[str, Ladder]) -> str | None:
        return fields.path_of(field, documents)

    def count_earned(
        self, context: Context, compiled: Ladder, amount: int, at: datetime, counted_in: frozenset[str] | None
    ) -> None:
        rules.count_earned(context, compiled, amount, at)

    def run_due(self, context: Context, compiled: Ladder, state: LadderState) -> None:
        rules.end_window(context, compiled)

    def renewed(self, compiled: Ladder, state: LadderState) -> LadderState:
        return renumbered(compiled, state)

    def states_to_show(self, documents: Mapping[str, Ladder], states: Mapping[str, Any]) -> dict[str, Any]:
        """Return a place on every ladder, including those on which the member has not earned anything."""
        return {
            ladder_id: renumbered(ladder, states[ladder_id])
            if ladder_id in states
            else LadderState(rung=rung_for(ladder, 0))
            for ladder_id, ladder in documents.items()
        }

    def view(self, program: Program, member: Member, document_id: str, now: datetime) -> LadderProgress:
        return ladder_view(program, member, document_id, now)

    def own_views(self, program: Program, member: Member, now: datetime) -> list[LadderPlace]:
        return ladder_places(program, member, now)

    def metric_of(self, compiled: Ladder) -> str:
        return compiled.metric

    def placed(
        self, program: Program, member: Member, compiled: Ladder, earned: Iterable[Earned], now: datetime
    ) -> LadderState | None:
        return placed(program, member, compiled, earned, now)

    def take_over(self, context: Context, document_id: str, compiled: Ladder, state: LadderState) -> None:
        rules.take_over(context, compiled, state)

    def import_state(self, context: Context, document_id: str, record: imported.ImportedRung) -> RefusalCode | None:
        return imported.import_rung(context, document_id, record)

    def to_import_order(self, value: str | imported.ImportedRung) -> imported.ImportedRung:
        return imported.to_import_order(value)

    def to_undo(self, program: Program, real: Member, would: Member) -> dict[str, Any]:
        return undoing.to_undo(ladders_of(real), ladders_of(would))

    def undo(self, context: Context, parts: Mapping[str, undoing.Reached]) -> None:
        undoing.undo(context.member, parts)

    def count_undone(self, before: Mapping[str, LadderState], after: Mapping[str, LadderState]) -> dict[str, int]:
        return undoing.count_undone(before, after)

    def unsound(self, state: LadderState) -> Iterator[str]:
        return soundness.unsound(state)

    def comparable_state(self, replayed: LadderState, stored: LadderState | None) -> LadderState:
        """Ignore windows before the oldest stored one, and the rungs' ids if they are not stored."""
        oldest = min(stored.earned, default="") if stored is not None else ""
        earned = {window: amount for window, amount in replayed.earned.items() if window >= oldest}
        rung_ids = () if stored is not None and not stored.rung_ids else replayed.rung_ids
        return structs.replace(replayed, earned=earned, rung_ids=rung_ids)


MECHANIC: Final = Ladders()

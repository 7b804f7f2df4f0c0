"""Segments as a mechanic: connects their modules to the protocol."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from plaudit.core.context import Context
from plaudit.core.decision import ConditionCheck, Trace
from plaudit.core.event import Event
from plaudit.core.member import Member
from plaudit.core.metrics import Metric
from plaudit.core.program import MechanicListener, Program
from plaudit.mechanics.base import CompiledByKind, CompiledDocuments, CriterionInWords, DocumentsByKind, Mechanic

from . import commands, compiling, effects, rules
from .compiled import Segment, segment_in
from .document import DOCUMENT, in_words
from .document import Segment as SegmentDocument
from .fields import PROFILE_FIELDS
from .past import tallied_from
from .refusals import FORMER, MEANINGS
from .state import KIND, LISTS, SegmentState, groups_in, keep, segments_of, state_in
from .triggers import TRIGGERS
from .view import MemberSegment, member_segments


class Segments(Mechanic):
    """The mechanic of segments."""

    kind = KIND
    collection = "segments"
    state = SegmentState
    lists = LISTS
    document = DOCUMENT
    effects = effects.EFFECTS
    commands = (commands.COMMAND,)
    triggers = TRIGGERS
    refusals = MEANINGS
    former_refusals = FORMER
    profile_fields = PROFILE_FIELDS
    own_view = MemberSegment
    groups_members = True
    undone_first = False
    undo_type = bool | None  # the membership set by hand, if any

    def compile(
        self, documents: DocumentsByKind, metrics: Mapping[str, Metric], others: CompiledByKind
    ) -> CompiledDocuments:
        return compiling.compile_segments(documents[KIND], metrics, others)

    def groups_in(self, states: Mapping[str, SegmentState]) -> frozenset[str]:
        return groups_in(states)

    def checks_in(self, context: Context, compiled: Segment) -> list[ConditionCheck]:
        checks: list[ConditionCheck] = []
        rules.is_member(context, compiled, state_in(context.member, compiled.segment_id), checks)
        return checks

    def criteria_of(self, document: SegmentDocument) -> list[CriterionInWords]:
        return [in_words(criterion) for criterion in (*document.include, *document.exclude)]

    def own_views(self, program: Program, member: Member, now: datetime) -> list[MemberSegment]:
        return member_segments(program, member)

    def triggers_of_past(self, program: Program, order: Mapping[str, Any]) -> list[str]:
        segment = segment_in(program, str(order.get("segmentId")))
        return [] if segment is None or order.get("byHand") else compiling.triggers_of(segment)

    def counted_in_past(
        self, program: Program, order: Mapping[str, Any], past: Sequence[Event], now: datetime
    ) -> dict[str, Any]:
        segment = segment_in(program, str(order.get("segmentId")))
        return {} if segment is None else {"tallies": tallied_from(program, segment, past, now)}

    def meet(self, context: Context, listener: MechanicListener) -> Trace | None:
        return rules.count_event(context, listener.target)

    def reevaluate(self, context: Context, compiled: Segment) -> None:
        rules.reevaluate(context, compiled)

    def run_due(self, context: Context, compiled: Segment, state: SegmentState) -> None:
        """Have the segment re-evaluated: a day has passed that can change the criteria's results."""
        keep(context.member, compiled.segment_id, self.without_due(state))
        context.changed_parts.add(compiled.cause.text)

    def take_over(self, context: Context, document_id: str, compiled: Segment, state: SegmentState) -> None:
        rules.take_over(context, compiled, state)

    def add_former(self, context: Context, document_id: str, state: SegmentState) -> None:
        """Ignore the state: a deleted segment has no members."""

    def to_undo(self, program: Program, real: Member, would: Member) -> dict[str, Any]:
        """Return the memberships that would be set by hand, for the segments in which they differ."""
        others = segments_of(would)
        return {
            segment_id: others[segment_id].manual
            for segment_id, state in segments_of(real).items()
            if segment_id in others and state.manual != others[segment_id].manual
        }

    def undo(self, context: Context, parts: Mapping[str, bool | None]) -> None:
        for segment_id, member in parts.items():
            segment = segment_in(context.program, segment_id)
            if segment is not None:
                rules.set_membership(context, segment, member=member)


MECHANIC: Final = Segments()

"""The segment command: evaluate a member for a new or changed segment, or set a membership by hand."""

from typing import Final

from msgspec import Struct

from plaudit.core.commands.command_type import CommandType, Strangers, trace_command
from plaudit.core.commands.reevaluation import is_behind, reevaluate_later
from plaudit.core.context import Context
from plaudit.core.decision import Refusal, RefusalCode

from . import rules
from .compiled import segment_in
from .refusals import SegmentRefusal
from .state import cause_of

SEGMENT: Final = "segment"  # the kind of the command's events


class SegmentOrder(Struct, frozen=True, rename="camel"):
    """The evaluation of a member for a segment, with the `tallies` of the events that it counts.

    The tallies are read from the log, up to the member's event number `sequence` (None in orders of earlier versions).
    With `by_hand`, the membership is set to `member` instead; None leaves it to the criteria again.
    """

    segment_id: str
    tallies: dict[str, dict[int, int]] = {}
    sequence: int | None = None
    by_hand: bool = False
    member: bool | None = None


def _evaluate(context: Context, order: SegmentOrder) -> RefusalCode | None:
    segment = segment_in(context.program, order.segment_id)
    cause = cause_of(order.segment_id)
    if segment is None:
        return trace_command(context, SegmentRefusal.segment_not_found, cause)
    if order.by_hand:
        rules.set_membership(context, segment, member=order.member)
    elif is_behind(context, order.sequence):
        reevaluate_later(context, {"segmentId": order.segment_id})
    else:
        rules.load_tallies(context, segment, order.tallies)
    return trace_command(context, None, cause)


COMMAND = CommandType(
    kind=SEGMENT,
    order=SegmentOrder,
    apply=_evaluate,
    needs_history=True,
    strangers=Strangers.join_by_api,
    if_merged=Refusal.member_merged,
)

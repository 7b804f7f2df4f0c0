"""A member looked at for a new or changed segment, or put in or out by hand."""

from msgspec import Struct

from plaudit.core import segments
from plaudit.core.cause import Cause
from plaudit.core.context import Context
from plaudit.core.decision import Refusal, RefusalCode
from plaudit.core.event import SEGMENT

from .command_type import CommandType, Strangers, trace_command
from .looking import is_behind, look_again


class SegmentOrder(Struct, frozen=True, rename="camel"):
    """A look at a member for one segment, with what the log has of what it counts; or `member` put in or out.

    The log had it of the member as of `sequence` (None in orders of earlier versions).
    """

    segment_id: str
    tallies: dict[str, dict[int, int]] = {}
    sequence: int | None = None
    by_hand: bool = False
    member: bool | None = None


def _segment(context: Context, order: SegmentOrder) -> RefusalCode | None:
    segment = context.program.segments.get(order.segment_id)
    if segment is None:
        return trace_command(context, Refusal.segment_not_found, Cause("segment", order.segment_id))
    if order.by_hand:
        segments.set_membership(context, segment, member=order.member)
    elif is_behind(context, order.sequence):
        look_again(context, {"segmentId": order.segment_id})
    else:
        segments.load_tallies(context, segment, order.tallies)
    return trace_command(context, None, Cause("segment", order.segment_id))


COMMAND = CommandType(
    kind=SEGMENT,
    order=SegmentOrder,
    apply=_segment,
    needs_history=True,
    strangers=Strangers.join_by_api,
    if_merged=Refusal.member_merged,
)

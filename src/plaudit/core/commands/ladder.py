"""A rung given by hand, or a place on a new or changed ladder."""

from datetime import datetime

from msgspec import Struct

from plaudit.core import ladders
from plaudit.core.cause import Cause
from plaudit.core.context import Context
from plaudit.core.decision import Refusal, RefusalCode
from plaudit.core.event import LADDER
from plaudit.core.member import LadderState

from .command_type import CommandType, Strangers, trace_command
from .looking import is_behind, look_again


class LadderOrder(Struct, frozen=True, rename="camel"):
    """A rung by hand, until an instant or for good; `rung` None takes it back.

    With `fill`, a place on a ladder that is new or has changed: `state` by what was earned, of a member as of `sequence`.
    """

    ladder_id: str
    rung: str | None = None
    until: datetime | None = None
    fill: bool = False
    state: LadderState | None = None
    sequence: int | None = None


def _ladder(context: Context, order: LadderOrder) -> RefusalCode | None:
    ladder = context.program.ladders.get(order.ladder_id)
    cause = Cause("ladder", order.ladder_id)
    if ladder is None:
        return trace_command(context, Refusal.ladder_not_found, cause)
    if order.fill:
        if is_behind(context, order.sequence):
            look_again(context, {"ladderId": order.ladder_id, "fill": True})
        else:
            ladders.place(context, ladder, order.state)
        return trace_command(context, None, cause)
    numbers = {rung.rung_id: number for number, rung in enumerate(ladder.rungs)}
    if order.rung is not None and order.rung not in numbers:
        return trace_command(context, Refusal.rung_not_found, cause)
    rung = None if order.rung is None else numbers[order.rung]
    return trace_command(context, ladders.set_override(context, ladder, rung, order.until), cause)


COMMAND = CommandType(
    kind=LADDER, order=LadderOrder, apply=_ladder, needs_history=True, strangers=Strangers.join_unless_engine
)

"""The ladder command: set a member's rung by hand, or place a member on a new or changed ladder."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from plaudit.core.commands.command_type import CommandType, Strangers, trace_command
from plaudit.core.commands.reevaluation import is_behind, reevaluate_later
from plaudit.core.context import Context
from plaudit.core.decision import RefusalCode

from . import rules
from .compiled import ladders_in
from .refusals import LadderRefusal
from .state import LadderState, cause_of

LADDER: Final = "ladder"  # the kind of the command's events


class LadderOrder(Struct, frozen=True, rename="camel"):
    """A rung set by hand, until an instant or without an end. If `rung` is None, the override ends.

    With `fill`, the member's place on a new or changed ladder instead: `state` follows from the earnings in the log up to
    the member's event number `sequence`, and is None if there are none.
    """

    ladder_id: str
    rung: str | None = None
    until: datetime | None = None
    fill: bool = False
    state: LadderState | None = None
    sequence: int | None = None


def _place(context: Context, order: LadderOrder) -> RefusalCode | None:
    ladder = ladders_in(context.program).get(order.ladder_id)
    cause = cause_of(order.ladder_id)
    if ladder is None:
        return trace_command(context, LadderRefusal.ladder_not_found, cause)
    if order.fill:
        if is_behind(context, order.sequence):
            reevaluate_later(context, {"ladderId": order.ladder_id, "fill": True})
        else:
            rules.place(context, ladder, order.state)
        return trace_command(context, None, cause)
    indexes = {rung.rung_id: index for index, rung in enumerate(ladder.rungs)}
    if order.rung is not None and order.rung not in indexes:
        return trace_command(context, LadderRefusal.rung_not_found, cause)
    rung = None if order.rung is None else indexes[order.rung]
    rules.set_override(context, ladder, rung, order.until)
    return trace_command(context, None, cause)


COMMAND = CommandType(
    kind=LADDER, order=LadderOrder, apply=_place, needs_history=True, strangers=Strangers.join_unless_engine
)

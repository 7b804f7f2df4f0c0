"""The prize command: pay the prize of a member's rank, and move the member to another division after a league's round."""

from typing import Any, Final

from msgspec import Struct

from plaudit.core.commands.command_type import CommandType, Strangers, trace_command
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, RefusalCode, Trace

from .compiled import Competition, competition_of
from .leagues import move_to_division
from .refusals import CompetitionRefusal
from .state import cause_of
from .triggers import ENDED

PRIZE: Final = "prize"  # the kind of the command's events


class PrizeOrder(Struct, frozen=True, rename="camel"):
    """A member's rank in a competition or in a league's round, the index of its prize, and the member's next division."""

    competition_id: str
    rank: int
    band: int | None = None
    division: str | None = None
    round: str = ""


def _settle_place(context: Context, order: PrizeOrder) -> RefusalCode | None:
    competition = competition_of(context.program, order.competition_id)
    if competition is None or (order.band is not None and order.band >= len(competition.prizes)):
        return trace_command(context, CompetitionRefusal.competition_not_found, cause_of(order.competition_id))
    if order.division is not None:
        move_to_division(context, competition, order.division, {"rank": order.rank, "round": order.round})
    if order.band is not None:
        _pay_prize(context, competition, order.band, order.rank)
    return None


def _pay_prize(context: Context, competition: Competition, band: int, rank: int) -> None:
    """Run the effects of a prize. The command's event has a derived id, so a prize is paid only once."""
    prize = competition.prizes[band]
    effects: list[EffectTrace] = [
        context.carry_out(effect, EffectPlace(competition.cause, band, index))
        for index, effect in enumerate(prize.effects)
    ]
    context.trace.append(Trace(competition.cause.logged, band, 0, None, [], effects, None, {"rank": rank}))
    data: dict[str, Any] = {"competitionId": competition.competition_id, "rank": rank}
    context.emit(ENDED, data, competition.cause)


COMMAND = CommandType(kind=PRIZE, order=PrizeOrder, apply=_settle_place, strangers=Strangers.join_by_api)

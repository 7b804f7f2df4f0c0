"""The command of competitions: what a place, or a place in a round of a league, wins and leads to."""

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

PRIZE: Final = "prize"  # the kind of its events


class PrizeOrder(Struct, frozen=True, rename="camel"):
    """A place in a competition (or in a round of a league), which prize it wins, and which division it leads to."""

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
    """The prize of a rank band. The event that brings it has an id of its own, so it is paid once."""
    prize = competition.prizes[band]
    done: list[EffectTrace] = [
        context.carry_out(effect, EffectPlace(competition.cause, band, index))
        for index, effect in enumerate(prize.effects)
    ]
    context.trace.append(Trace(competition.cause.logged, band, 0, None, [], done, None, {"rank": rank}))
    told: dict[str, Any] = {"competitionId": competition.competition_id, "rank": rank}
    context.emit(ENDED, told, competition.cause)


COMMAND = CommandType(kind=PRIZE, order=PrizeOrder, apply=_settle_place, strangers=Strangers.join_by_api)

"""What a place in a competition, or in a round of a league, wins."""

from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.competitions import move_to_division, pay_prize
from plaudit.core.context import Context
from plaudit.core.decision import Refusal, RefusalCode
from plaudit.core.event import PRIZE

from .command_type import CommandType, Strangers, trace_command


class PrizeOrder(Struct, frozen=True, rename="camel"):
    """A place in a competition (or in a round of a league), which prize it wins, and which division it leads to."""

    competition_id: str
    rank: int
    band: int | None = None
    division: str | None = None
    round: str = ""


def _prize(context: Context, order: PrizeOrder) -> RefusalCode | None:
    competition = context.program.competitions.get(order.competition_id)
    if competition is None or (order.band is not None and order.band >= len(competition.prizes)):
        return trace_command(context, Refusal.competition_not_found, Cause("competition", order.competition_id))
    if order.division is not None:
        move_to_division(context, competition, order.division, {"rank": order.rank, "round": order.round})
    if order.band is not None:
        pay_prize(context, competition, order.band, order.rank)
    return None


COMMAND = CommandType(kind=PRIZE, order=PrizeOrder, apply=_prize, strangers=Strangers.join_by_api)

"""What is done by hand, each a kind of event: the books (see `bookkeeping`), grants, profiles, streaks, ladders.

A command refuses as a whole: its refusal is the decision's, and nothing follows from it.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, cast

from msgspec import Struct

from . import ladders, segments, streaks
from .backfill import apply_to_past
from .bookkeeping import BOOKKEEPING, order_of, traced
from .campaigns import join
from .competitions import award, move
from .deciding import Deciding, Place
from .decision import Considered, Onward, Refusal
from .effect_settings import GrantReward
from .effects import grant_reward
from .event import (
    BACKFILL,
    ENROLMENT,
    GRANT,
    IMPORT,
    LADDER,
    MANUAL_GRANT_CAMPAIGN,
    MERGE,
    PRIZE,
    PROFILE,
    REDEMPTION,
    REFERRAL,
    REGISTRATION,
    ROLLBACK,
    SEGMENT,
    STREAK,
    TAKEOVER,
)  # fmt: skip
from .ids import derived_id
from .importing import bring_in
from .ledger import post
from .member import LadderState
from .merging import hand_over, take_over
from .program import Price
from .redemption import redeem
from .registration import referred, register
from .rolling_back import roll_back


class StreakOrder(Struct, frozen=True, rename="camel"):
    """`action`: check_in, buy_freeze, grant_freeze, use_freeze (for `day`), repair, absence (`day` to `until`)."""

    streak_id: str
    action: str
    quantity: int = 1
    day: date | None = None
    until: date | None = None


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


class SegmentOrder(Struct, frozen=True, rename="camel"):
    """A look at a member for one segment, with what the log has of what it counts; or `member` put in or out.

    The log had it of the member as of `sequence` (None in orders of earlier versions).
    """

    segment_id: str
    tallies: dict[str, dict[int, int]] = {}
    sequence: int | None = None
    by_hand: bool = False
    member: bool | None = None


class PrizeOrder(Struct, frozen=True, rename="camel"):
    """A place in a competition (or in a round of a league), which prize it wins, and which division it leads to."""

    competition_id: str
    rank: int
    band: int | None = None
    division: str | None = None
    round: str = ""


def run_command(deciding: Deciding) -> Refusal | None:
    """Carry out the command that the present event is. Answers why not, if so."""
    return COMMANDS[deciding.event.kind](deciding)


def _grant(deciding: Deciding) -> Refusal | None:
    """A reward granted by hand: no campaign's rules apply; it is booked under a campaign of that name."""
    data = deciding.event.data
    settings = GrantReward(reward_id=str(data["rewardId"]))
    reason = data.get("reason")
    effect = grant_reward(
        deciding, Place(MANUAL_GRANT_CAMPAIGN, 0, 0), settings, reason if isinstance(reason, str) else None
    )
    deciding.trace.append(Considered(MANUAL_GRANT_CAMPAIGN, 0, 0, None, [], [effect]))
    return effect.refusal


def _set_profile(deciding: Deciding) -> None:
    data = deciding.event.data
    attributes = cast("dict[str, Any]", data.get("attributes") or {})
    names = cast("dict[str, str | None]", data.get("identities") or {})
    deciding.write_profile(attributes, names)
    deciding.touched.add("user")
    streaks.rezone(deciding)
    deciding.follow("user.updated", {"fields": sorted({**attributes, **names})}, "profile")


def _streak(deciding: Deciding) -> Refusal | None:
    order = order_of(deciding, StreakOrder)
    streak = deciding.program.streaks.get(order.streak_id)
    name = f"streak.{order.streak_id}"
    if streak is None or not streak.active:
        return traced(deciding, Refusal.streak_missing, name)
    price: Price | None = None
    match order.action:
        case "check_in":
            refusal, shown, effects = streaks.check_in(deciding, streak)
            deciding.trace.append(Considered(name, 0, 0, refusal, [], effects, None, shown))
            return None  # one that counts already changes nothing, and is no error
        case "buy_freeze":
            price = streak.freeze_price
            refusal = streaks.grant_freezes(deciding, streak, 1) if price else Refusal.freezes_none
        case "grant_freeze":
            refusal = streaks.grant_freezes(deciding, streak, order.quantity)
        case "repair":
            price = streak.repair_price
            refusal = streaks.repair(deciding, streak)
        case "use_freeze" if order.day is not None:
            refusal = streaks.use_freeze(deciding, streak, order.day)
        case "absence" if order.day is not None and order.until is not None:
            refusal = streaks.be_absent(deciding, streak, order.day, order.until)
        case _:
            refusal = Refusal.streak_missing
    if refusal is None and price is not None:
        refusal = _pay(deciding, price, name)
    return traced(deciding, refusal, name)


def _pay(deciding: Deciding, price: Price, name: str) -> Refusal | None:
    """Spend a price. A refusal refuses the whole command, so what came before it does not count."""
    metric = deciding.program.metrics.get(price.metric)
    if metric is None:
        return Refusal.metric_missing
    paid = post(deciding, Place(name, 0, 0), metric, -price.amount, "Price", earning=False)
    return paid if isinstance(paid, Refusal) else None


def _ladder(deciding: Deciding) -> Refusal | None:
    order = order_of(deciding, LadderOrder)
    ladder = deciding.program.ladders.get(order.ladder_id)
    name = f"ladder.{order.ladder_id}"
    if ladder is None:
        return traced(deciding, Refusal.ladder_missing, name)
    if order.fill:
        if _is_behind(deciding, order.sequence):
            _look_again(deciding, {"ladderId": order.ladder_id, "fill": True})
        else:
            ladders.place(deciding, ladder, order.state)
        return traced(deciding, None, name)
    numbers = {rung.rung_id: number for number, rung in enumerate(ladder.rungs)}
    if order.rung is not None and order.rung not in numbers:
        return traced(deciding, Refusal.rung_missing, name)
    rung = None if order.rung is None else numbers[order.rung]
    return traced(deciding, ladders.override(deciding, ladder, rung, order.until), name)


def _segment(deciding: Deciding) -> Refusal | None:
    order = order_of(deciding, SegmentOrder)
    segment = deciding.program.segments.get(order.segment_id)
    if segment is None:
        return traced(deciding, Refusal.segment_missing, f"segment.{order.segment_id}")
    if order.by_hand:
        segments.put_by_hand(deciding, segment, member=order.member)
    elif _is_behind(deciding, order.sequence):
        _look_again(deciding, {"segmentId": order.segment_id})
    else:
        segments.take_tallies(deciding, segment, order.tallies)
    return traced(deciding, None, f"segment.{order.segment_id}")


def _is_behind(deciding: Deciding, sequence: int | None) -> bool:
    """Whether something has happened to the member since the log was read, which it would be without."""
    return sequence is not None and sequence != deciding.member.sequence


def _look_again(deciding: Deciding, data: dict[str, Any]) -> None:
    """Let the member be looked at once more, when the log has what has happened meanwhile."""
    event = deciding.root
    deciding.onward.append(
        Onward(
            event_id=derived_id(event.event_id, "again"), user_id=event.user_id, kind=event.kind, trigger=event.trigger,
            occurred_at=event.occurred_at, data=data,
        )
    )  # fmt: skip


def _prize(deciding: Deciding) -> Refusal | None:
    order = order_of(deciding, PrizeOrder)
    competition = deciding.program.competitions.get(order.competition_id)
    if competition is None or (order.band is not None and order.band >= len(competition.prizes)):
        return traced(deciding, Refusal.competition_missing, f"competition.{order.competition_id}")
    if order.division is not None:
        move(deciding, competition, order.division, {"rank": order.rank, "round": order.round})
    if order.band is not None:
        award(deciding, competition, order.band, order.rank)
    return None


def _enrol(deciding: Deciding) -> Refusal | None:
    """Join a campaign that asks to be joined. Once is enough."""
    campaign_id = str(deciding.event.data["campaignId"])
    join(deciding, campaign_id)
    deciding.trace.append(Considered(campaign_id, 0, 0))
    return None


COMMANDS: Mapping[str, Callable[[Deciding], Refusal | None]] = {
    GRANT: _grant,
    PROFILE: _set_profile,
    **BOOKKEEPING,
    STREAK: _streak,
    LADDER: _ladder,
    SEGMENT: _segment,
    PRIZE: _prize,
    ENROLMENT: _enrol,
    REGISTRATION: register,
    IMPORT: bring_in,
    REDEMPTION: redeem,
    BACKFILL: apply_to_past,
    REFERRAL: referred,
    MERGE: hand_over,
    TAKEOVER: take_over,
    ROLLBACK: roll_back,
}

"""What is done by hand, each a kind of event: the books (see `bookkeeping`), grants, profiles, ladders.

The mechanics register commands of their own (see `mechanics.registry`).

A command refuses as a whole: its refusal is the decision's, and nothing follows from it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from msgspec import Struct

from plaudit.core import ladders, segments
from plaudit.core.campaigns import enrol_in_campaign
from plaudit.core.cause import MANUAL_GRANT, Cause, campaign_cause
from plaudit.core.cause import PROFILE as PROFILE_CAUSE
from plaudit.core.competitions import move_to_division, pay_prize
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import FollowUp, Refusal, RefusalCode, Trace
from plaudit.core.effects.grant_reward import grant
from plaudit.core.event import (
    BACKFILL,
    CAMPAIGN_ENROLMENT,
    ENROLMENT,
    GRANT,
    IMPORT,
    LADDER,
    MERGE,
    PRIZE,
    PROFILE,
    REDEMPTION,
    REFERRAL,
    ROLLBACK,
    SEGMENT,
    TAKEOVER,
)
from plaudit.core.ids import derived_id
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.member import LadderState

from .backfill import apply_to_past
from .bookkeeping import BOOKKEEPING, decode_order, trace_command
from .enrolment import enrol, record_referral
from .import_member import import_member
from .merge import hand_over, take_over
from .redemption import redeem
from .rollback import roll_back


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


def run_command(context: Context) -> RefusalCode | None:
    """Carry out the command that the present event is. Answers why not, if so."""
    return COMMANDS[context.event.kind](context)


def _grant(context: Context) -> RefusalCode | None:
    """A reward granted by hand: no campaign's rules apply; it is a cause of its own."""
    data = context.event.data
    reason = data.get("reason")
    place = EffectPlace(MANUAL_GRANT, 0, 0)
    effect = grant(context, place, str(data["rewardId"]), reason if isinstance(reason, str) else None)
    context.trace.append(Trace(MANUAL_GRANT.logged, 0, 0, None, [], [effect]))
    return effect.refusal


def _set_profile(context: Context) -> None:
    data = context.event.data
    attributes = cast("dict[str, Any]", data.get("attributes") or {})
    names = cast("dict[str, str | None]", data.get("identities") or {})
    context.write_profile(attributes, names)
    context.changed_parts.add("user")
    for rules in MECHANIC_RULES.values():
        rules.update_profile(context)
    context.emit("user.updated", {"fields": sorted({**attributes, **names})}, PROFILE_CAUSE)


def _ladder(context: Context) -> RefusalCode | None:
    order = decode_order(context, LadderOrder)
    ladder = context.program.ladders.get(order.ladder_id)
    cause = Cause("ladder", order.ladder_id)
    if ladder is None:
        return trace_command(context, Refusal.ladder_not_found, cause)
    if order.fill:
        if _is_behind(context, order.sequence):
            _reevaluate(context, {"ladderId": order.ladder_id, "fill": True})
        else:
            ladders.place(context, ladder, order.state)
        return trace_command(context, None, cause)
    numbers = {rung.rung_id: number for number, rung in enumerate(ladder.rungs)}
    if order.rung is not None and order.rung not in numbers:
        return trace_command(context, Refusal.rung_not_found, cause)
    rung = None if order.rung is None else numbers[order.rung]
    return trace_command(context, ladders.set_override(context, ladder, rung, order.until), cause)


def _segment(context: Context) -> RefusalCode | None:
    order = decode_order(context, SegmentOrder)
    segment = context.program.segments.get(order.segment_id)
    if segment is None:
        return trace_command(context, Refusal.segment_not_found, Cause("segment", order.segment_id))
    if order.by_hand:
        segments.set_membership(context, segment, member=order.member)
    elif _is_behind(context, order.sequence):
        _reevaluate(context, {"segmentId": order.segment_id})
    else:
        segments.load_tallies(context, segment, order.tallies)
    return trace_command(context, None, Cause("segment", order.segment_id))


def _is_behind(context: Context, sequence: int | None) -> bool:
    """Whether something has happened to the member since the log was read, which it would be without."""
    return sequence is not None and sequence != context.member.sequence


def _reevaluate(context: Context, data: dict[str, Any]) -> None:
    """Let the member be looked at once more, when the log has what has happened meanwhile."""
    event = context.root_event
    context.follow_ups.append(
        FollowUp(
            event_id=derived_id(event.event_id, "again"), user_id=event.user_id, kind=event.kind, trigger=event.trigger,
            occurred_at=event.occurred_at, data=data,
        )
    )  # fmt: skip


def _prize(context: Context) -> RefusalCode | None:
    order = decode_order(context, PrizeOrder)
    competition = context.program.competitions.get(order.competition_id)
    if competition is None or (order.band is not None and order.band >= len(competition.prizes)):
        return trace_command(context, Refusal.competition_not_found, Cause("competition", order.competition_id))
    if order.division is not None:
        move_to_division(context, competition, order.division, {"rank": order.rank, "round": order.round})
    if order.band is not None:
        pay_prize(context, competition, order.band, order.rank)
    return None


def _enrol(context: Context) -> RefusalCode | None:
    """Join a campaign that asks to be joined. Once is enough."""
    campaign_id = str(context.event.data["campaignId"])
    enrol_in_campaign(context, campaign_id)
    context.trace.append(Trace(campaign_cause(campaign_id).logged, 0, 0))
    return None


Command = Callable[[Context], RefusalCode | None]

COMMANDS: dict[str, Command] = {
    GRANT: _grant,
    PROFILE: _set_profile,
    **BOOKKEEPING,
    LADDER: _ladder,
    SEGMENT: _segment,
    PRIZE: _prize,
    CAMPAIGN_ENROLMENT: _enrol,
    ENROLMENT: enrol,
    IMPORT: import_member,
    REDEMPTION: redeem,
    BACKFILL: apply_to_past,
    REFERRAL: record_referral,
    MERGE: hand_over,
    TAKEOVER: take_over,
    ROLLBACK: roll_back,
}

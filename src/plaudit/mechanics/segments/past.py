"""Tallies past events for a segment's criteria, and evaluates members without changing them."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import structs

from plaudit.core.conditions import ALWAYS
from plaudit.core.context import Context
from plaudit.core.event import Event
from plaudit.core.fields import Scope
from plaudit.core.formulas.budget import Budget
from plaudit.core.formulas.limits import EVENT_STEPS_MAX
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.member import Member
from plaudit.core.metrics import to_scaled
from plaudit.core.periods import local_day
from plaudit.core.program import Program

from .commands import SEGMENT
from .compiled import EventTally, Segment
from .rules import add_to_tally, is_member
from .state import state_in

PAST_STEPS_MAX = 4 * EVENT_STEPS_MAX  # for all conditions of a segment, over all past events of a member


def tallied_from(program: Program, segment: Segment, past: Sequence[Event], now: datetime) -> dict[str, dict[int, int]]:
    """Return the tallies of past events, by the criteria's keys and by local day."""
    zone = program.settings.time_zone
    today = local_day(now, zone).toordinal()
    tallies: dict[str, dict[int, int]] = {}
    budget = Budget(PAST_STEPS_MAX)
    for criterion in segment.criteria:
        tally = criterion.tally
        if tally is None:
            continue
        counts: dict[int, int] = {}
        for event in past:
            amount = _amount_of(program, tally, event, budget)
            if amount is not None:
                day = local_day(event.occurred_at, zone).toordinal()
                counts = add_to_tally(tally, counts, day, amount, today)
        tallies[criterion.key] = counts
    return tallies


def _amount_of(program: Program, tally: EventTally, event: Event, budget: Budget) -> int | None:
    """Return the amount that a past event adds to a tally. Conditions see the event, but not the member's state then."""
    if event.trigger != tally.trigger:
        return None
    member = Member(member_id=event.member_id, user_id=event.user_id)
    scope = Scope(event, member, program.metrics, program.mechanics, program.products, budget)
    if tally.condition is not ALWAYS and not tally.condition.holds(scope, []):
        return None
    if tally.get is None:
        return 1
    return to_scaled(tally.get(scope), SUM_DECIMALS)


def would_be_in(
    program: Program, segment: Segment, member: Member, tallies: dict[str, dict[int, int]], now: datetime
) -> bool:
    """Return whether a member would be in a segment with these tallies."""
    state = structs.replace(state_in(member, segment.segment_id), tallies=tallies)
    return is_member(_evaluation_context(program, member, now), segment, state)


def would_change(program: Program, segment: Segment, member: Member, now: datetime) -> bool:
    """Return whether evaluating a segment would change a membership, with the member's current tallies."""
    state = state_in(member, segment.segment_id)
    return is_member(_evaluation_context(program, member, now), segment, state) != state.member


def _evaluation_context(program: Program, member: Member, now: datetime) -> Context:
    event = Event(
        event_id=member.member_id, member_id=member.member_id, user_id=member.user_id, kind=SEGMENT, trigger=SEGMENT,
        occurred_at=now,
    )  # fmt: skip
    return Context(program, member, event, frozenset())

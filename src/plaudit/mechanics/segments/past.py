"""What the criteria of a segment count of events of the past, and what a look at a member would come to. Changes nothing."""

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

PAST_STEPS_MAX = 4 * EVENT_STEPS_MAX  # of the conditions of one segment, on the whole past of one member


def tallied_from(program: Program, segment: Segment, past: Sequence[Event], now: datetime) -> dict[str, dict[int, int]]:
    """What the criteria of a segment count in these events."""
    zone = program.settings.time_zone
    today = local_day(now, zone).toordinal()
    found: dict[str, dict[int, int]] = {}
    budget = Budget(PAST_STEPS_MAX)
    for criterion in segment.criteria:
        wanted = criterion.tally
        if wanted is None:
            continue
        counts: dict[int, int] = {}
        for event in past:
            amount = _counted(program, wanted, event, budget)
            if amount is not None:
                day = local_day(event.occurred_at, zone).toordinal()
                counts = add_to_tally(wanted, counts, day, amount, today)
        found[criterion.key] = counts
    return found


def _counted(program: Program, wanted: EventTally, event: Event, budget: Budget) -> int | None:
    """Return what a past event counts. Conditions see the event as it was, and a member without a profile."""
    if event.trigger != wanted.trigger:
        return None
    member = Member(member_id=event.member_id, user_id=event.user_id)
    scope = Scope(event, member, program.metrics, program.mechanics, program.products, budget)
    if wanted.condition is not ALWAYS and not wanted.condition.holds(scope, []):
        return None
    if wanted.get is None:
        return 1
    return to_scaled(wanted.get(scope), SUM_DECIMALS)


def would_be_in(
    program: Program, segment: Segment, member: Member, tallies: dict[str, dict[int, int]], now: datetime
) -> bool:
    """Whether a member would be in a segment, with what the past tallies up to."""
    state = structs.replace(state_in(member, segment.segment_id), tallies=tallies)
    return is_member(_evaluation_context(program, member, now), segment, state)


def would_change(program: Program, segment: Segment, member: Member, now: datetime) -> bool:
    """Whether a look at a member would take them in or out. (What is counted of events is not looked at.)"""
    state = state_in(member, segment.segment_id)
    return is_member(_evaluation_context(program, member, now), segment, state) != state.member


def _evaluation_context(program: Program, member: Member, now: datetime) -> Context:
    event = Event(
        event_id=member.member_id, member_id=member.member_id, user_id=member.user_id, kind=SEGMENT, trigger=SEGMENT,
        occurred_at=now,
    )  # fmt: skip
    return Context(program, member, event, frozenset())

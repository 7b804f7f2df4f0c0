"""Decide an event, after the member's timers that are due before it.

Some changes need no action: amounts are released or expire, holds end, and mechanics have timers of their own. A chore
runs the timers of inactive members; an active member's timers run before their next event. Either way, each timer is an
event in the log, at its due time, so importing a year of events gives the same rows as receiving them live:

    member.due_at <= event.occurred_at  ──►  a timer event at due_at  ──►  … until nothing is due  ──►  the event

Timers due at the instant of an event run before it: points that expire at 12:00:00 cannot be spent at 12:00:00.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from .decide_one import NOTHING_REFUSED, decide_one
from .decision import Decision
from .event import TIMER, Event
from .ids import derived_id
from .member import Member
from .program import Program


def decide(
    program: Program, member: Member, event: Event, refused: frozenset[UUID] = NOTHING_REFUSED
) -> Iterable[tuple[Event, Decision]]:
    """Yield the decision on each timer due before an event, then the decision on the event, each with its event."""
    if member.due_at is None:  # most members, most events
        return ((event, decide_one(program, member, event, refused)),)
    return _decide_after_timers(program, member, event, refused)


def _decide_after_timers(
    program: Program, member: Member, event: Event, refused: frozenset[UUID]
) -> Iterator[tuple[Event, Decision]]:
    for timer, decision in run_due_timers(program, member, event.occurred_at, refused):
        member = decision.member
        yield timer, decision
    yield event, decide_one(program, member, event, refused)


def run_due_timers(
    program: Program, member: Member, until: datetime, refused: frozenset[UUID] = NOTHING_REFUSED
) -> Iterator[tuple[Event, Decision]]:
    """Yield the decisions on a member's timers due up to an instant, in chronological order."""
    while (timer := next_due(member, until)) is not None:
        decision = decide_one(program, member, timer, refused)
        if decision.member.due_at == member.due_at:
            raise AssertionError(f"timers due at {member.due_at} stay due")
        member = decision.member
        yield timer, decision


def next_due(member: Member, until: datetime) -> Event | None:
    """Return the event of a member's next timer that is due up to an instant, or None."""
    if member.due_at is None or member.due_at > until:
        return None
    return Event(
        event_id=derived_id(member.member_id, f"timer:{member.sequence}"),
        member_id=member.member_id,
        user_id=member.user_id,
        kind=TIMER,
        trigger=TIMER,
        occurred_at=member.due_at,
        source="engine",
    )

"""What falls due by itself: releases, reminders, expiries, ends of holds; what mechanics have due, ends of windows.

A member who has been quiet is advanced by timers; one who has not, before each of their events. Both ways it is an
event of its own in the log, at the very instant at which it was due, so that importing a year gives the rows of having
lived it:

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
    """Yield the decisions on the timers due before an event, each with its own event, then that on the event."""
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
    """Return the event of what falls due next for a member up to an instant; None if nothing does."""
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

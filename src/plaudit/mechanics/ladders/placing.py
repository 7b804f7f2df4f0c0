"""Places members on a new or changed ladder by their earlier earnings, without effects or notifications.

    the member's earnings, each at the instant at which it counts ──► the ladder's rules ──► the member's place now

The ladder's own rules run on a program that contains nothing else. So the result is that of a ladder that always existed.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec import structs

from plaudit.core.context import Context
from plaudit.core.event import Event
from plaudit.core.ledger.earned import Earned
from plaudit.core.member import Member
from plaudit.core.program import Program

from .commands import LADDER
from .compiled import Ladder
from .rules import count_earned, end_window
from .state import LadderState, ladders_of


def placed(
    program: Program, member: Member, ladder: Ladder, earned: Iterable[Earned], now: datetime
) -> LadderState | None:
    """Return the member's place as if the ladder had always existed, or None if they have earned nothing up to now.

    `earned` is in chronological order, without reversed amounts.
    """
    without_effects = structs.replace(ladder, rungs=tuple(structs.replace(rung, effects=()) for rung in ladder.rungs))
    alone = Program(org_id=program.org_id, settings=program.settings)  # without listeners, and nothing else counts
    placed_member = Member(member_id=member.member_id, user_id=member.user_id, enrolled_at=member.enrolled_at)

    def run(at: datetime, rule: Callable[[Context], None]) -> None:
        nonlocal placed_member
        event = Event(
            event_id=member.member_id, member_id=member.member_id, user_id=member.user_id, kind=LADDER, trigger=LADDER,
            occurred_at=at,
        )  # fmt: skip
        context = Context(alone, placed_member, event, frozenset())
        rule(context)
        placed_member = context.member

    def run_timers(until: datetime) -> None:
        while True:
            state = ladders_of(placed_member).get(ladder.ladder_id)
            if state is None or state.due_at is None or state.due_at > until:
                return
            run(state.due_at, lambda context: end_window(context, without_effects))

    for at, amount in earned:
        if at > now:
            break
        run_timers(at)
        run(at, lambda context, amount=amount, at=at: count_earned(context, without_effects, amount, at))
    run_timers(now)
    return ladders_of(placed_member).get(ladder.ladder_id)

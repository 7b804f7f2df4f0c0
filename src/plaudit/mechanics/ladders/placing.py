"""Places members on a new or changed ladder by their earlier earnings, without effects or notifications.

    what was earned, by the instant at which it counts ──► lived through again, alone ──► where the member would be now

It is the ladder's own rules that are lived through, so a ladder that is filled stands as one that has always been there.
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
from .rules import count_on, end_window
from .state import LadderState, ladders_of


def placed(
    program: Program, member: Member, ladder: Ladder, earned: Iterable[Earned], now: datetime
) -> LadderState | None:
    """Return where a member would be if the ladder had always been there; None if nothing has been earned until now.

    `earned` is in the order of time, without what has been taken back.
    """
    quiet = structs.replace(ladder, rungs=tuple(structs.replace(rung, effects=()) for rung in ladder.rungs))
    alone = Program(org_id=program.org_id, settings=program.settings)  # nobody listens, and nothing else is counted
    found = Member(member_id=member.member_id, user_id=member.user_id, enrolled_at=member.enrolled_at)

    def programme(at: datetime, happens: Callable[[Context], None]) -> None:
        nonlocal found
        event = Event(
            event_id=member.member_id, member_id=member.member_id, user_id=member.user_id, kind=LADDER, trigger=LADDER,
            occurred_at=at,
        )  # fmt: skip
        context = Context(alone, found, event, frozenset())
        happens(context)
        found = context.member

    def until(at: datetime) -> None:
        while True:
            state = ladders_of(found).get(ladder.ladder_id)
            if state is None or state.due_at is None or state.due_at > at:
                return
            programme(state.due_at, lambda context: end_window(context, quiet))

    for at, amount in earned:
        if at > now:
            break
        until(at)
        programme(at, lambda context, amount=amount, at=at: count_on(context, quiet, amount, at))
    until(now)
    return ladders_of(found).get(ladder.ladder_id)

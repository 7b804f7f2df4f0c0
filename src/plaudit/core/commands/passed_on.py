"""Events of a merged member: they are passed on to the remaining member, or refused."""

from uuid import UUID

from plaudit.core.cause import MERGE
from plaudit.core.context import Context
from plaudit.core.decision import FollowUp, Refusal, RefusalCode, Trace
from plaudit.core.event import TIMER, Event
from plaudit.core.ids import derived_id
from plaudit.core.ledger.post import MERGED
from plaudit.core.member import Member

from .command_type import CommandType


def is_passed_on(member: Member, event: Event, command: CommandType | None) -> bool:
    """Return whether an event is not decided here because the member was merged, and the event does not undo the merge."""
    return member.merged_into is not None and not (command is not None and command.reopens(event))


def pass_on(context: Context, command: CommandType | None) -> RefusalCode:
    """Pass an event on to the member into whom this one was merged, unless it is refused. Return the refusal to log."""
    event, user_id = context.event, context.member.merged_into
    assert user_id is not None
    if command is not None and command.if_merged is not None:
        return command.if_merged
    if event.kind != TIMER:
        event_id = passed_on_id(event.event_id)
        progress = {"into": user_id, "eventId": str(event_id)}
        context.trace.append(Trace(MERGE.logged, 0, 0, Refusal.member_merged, [], [], None, progress))
        context.follow_ups.append(
            FollowUp(
                event_id=event_id,
                user_id=user_id,
                kind=event.kind,
                trigger=event.trigger,
                occurred_at=event.occurred_at,
                data=event.data,
                metadata=event.metadata,
            )
        )
    return Refusal.member_merged


def passed_on_id(event_id: UUID) -> UUID:
    """Return the id of the event as which an event is passed on."""
    return derived_id(event_id, MERGED)

"""Looks at a member for a new or changed document: what they share."""

from typing import Any

from plaudit.core.context import Context
from plaudit.core.decision import FollowUp
from plaudit.core.ids import derived_id


def is_behind(context: Context, sequence: int | None) -> bool:
    """Whether something has happened to the member since the log was read, which it would be without."""
    return sequence is not None and sequence != context.member.sequence


def look_again(context: Context, data: dict[str, Any]) -> None:
    """Let the member be looked at once more, when the log has what has happened meanwhile."""
    event = context.root_event
    context.follow_ups.append(
        FollowUp(
            event_id=derived_id(event.event_id, "again"), user_id=event.user_id, kind=event.kind, trigger=event.trigger,
            occurred_at=event.occurred_at, data=data,
        )
    )  # fmt: skip

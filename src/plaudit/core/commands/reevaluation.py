"""Helpers for commands that evaluate a member for a new or changed document."""

from typing import Any

from plaudit.core.context import Context
from plaudit.core.decision import FollowUp
from plaudit.core.ids import derived_id


def is_behind(context: Context, sequence: int | None) -> bool:
    """Return whether the member has had an event since the log was read, so the log is incomplete."""
    return sequence is not None and sequence != context.member.sequence


def reevaluate_later(context: Context, data: dict[str, Any]) -> None:
    """Queue the evaluation again as a new event, for which the log is read again."""
    event = context.root_event
    context.follow_ups.append(
        FollowUp(
            event_id=derived_id(event.event_id, "again"), user_id=event.user_id, kind=event.kind, trigger=event.trigger,
            occurred_at=event.occurred_at, data=data,
        )
    )  # fmt: skip

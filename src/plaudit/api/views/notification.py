"""A member's notifications: which are unread, and marking them as read."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct, field

from plaudit.api.http.operations import Call
from plaudit.api.http.wire import Json, amount_view, optional_time, time_text
from plaudit.api.identity.current_member import member_id
from plaudit.reads import notifications
from plaudit.reads.notifications import NotificationRow
from plaudit.storage.notifications import mark_read, mark_read_up_to
from plaudit.storage.programmes import Programme

IDS_MAX = 500


class ReadBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which have been read: these, all up to one, or (when nothing is said) all."""

    ids: Annotated[list[UUID], Meta(max_length=IDS_MAX)] = field(default_factory=list[UUID])
    up_to: UUID | None = None


async def unread_of(call: Call) -> tuple[Programme, list[NotificationRow]]:
    """What the member who makes the call has not read."""
    programme = await call.programme()
    async with call.connection() as connection:
        return programme, await notifications.unread(connection, member_id(call), programme.now())


async def post_read(call: Call) -> Json:
    """Mark as read. Answers how many were not, and how many are not yet."""
    body: ReadBody = call.body
    programme = await call.programme()
    async with call.connection() as connection:
        if body.ids:
            read = await mark_read(connection, member_id(call), body.ids, programme.now())
        else:
            read = await mark_read_up_to(connection, member_id(call), body.up_to, programme.now())
        return {"read": read, "unread": await notifications.unread_count(connection, member_id(call), programme.now())}


def notification_view(programme: Programme, note: NotificationRow) -> Json:
    """A notification in the present generation."""
    changed = note.changes
    return {
        "notificationId": str(note.notification_id),
        "type": note.type,
        "campaignId": note.campaign_id if note.campaign_id in programme.campaigns else None,
        "step": note.step,
        "display": note.display,
        "title": note.title,
        "message": note.message,
        "createdAt": time_text(note.created_at),
        "expiresAt": optional_time(note.expires_at),
        "readAt": optional_time(note.read_at),
        "metrics": {
            metric_id: {
                "from": amount_view(programme.compiled, metric_id, before),
                "to": amount_view(programme.compiled, metric_id, after),
            }
            for metric_id, (before, after) in changed.metrics.items()
        },
        "items": [{"productId": item.product_id, "quantity": item.quantity} for item in changed.items],
        "rungs": [{"ladderId": rung.ladder_id, "from": rung.before, "to": rung.after} for rung in changed.rungs],
    }

"""A member's notifications: which are unread, and marking them as read."""

from typing import Annotated, Any, Literal, cast
from uuid import UUID

from msgspec import Meta, Struct, field

from plaudit.api.http.operations import Call
from plaudit.api.http.wire import amount_view, optional_time, time_text
from plaudit.api.identity.current_member import member_id
from plaudit.reads import notifications
from plaudit.reads.notifications import NotificationRow
from plaudit.storage.notifications import mark_read, mark_read_up_to
from plaudit.storage.programmes import Programme

from .base import Time, View, page_of

IDS_MAX = 500


class MetricChange(View):
    """A balance before and after."""

    before: float = field(name="from")
    after: float = field(name="to")


class ItemChange(View):
    """How many of a product were gained, or lost if negative."""

    product_id: str
    quantity: int


class RungChange(View):
    """A rung before and after; null for none."""

    ladder_id: str
    before: str | None = field(name="from")
    after: str | None = field(name="to")


class Notification(View):
    """A notification, with the changes it is about. `display` says how apps show it."""

    notification_id: str
    type: Literal["message", "step.completed", "campaign.completed"]
    campaign_id: str | None
    step: int | None
    display: Literal["none", "toast", "banner", "modal"]
    title: str | None
    message: str
    created_at: Time
    expires_at: Time | None
    read_at: Time | None
    metrics: dict[str, MetricChange]
    items: list[ItemChange]
    rungs: list[RungChange]


class ReadCount(View):
    """How many notifications were marked as read, and how many are unread."""

    read: int
    unread: int


NotificationList = page_of(Notification, "notifications", [("unread", int)])


class ReadMarker(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The notifications to mark as read: these, all up to one of them, or all (default)."""

    ids: Annotated[list[UUID], Meta(max_length=IDS_MAX)] = field(default_factory=list[UUID])
    up_to: UUID | None = None


async def unread_of(call: Call) -> tuple[Programme, list[NotificationRow]]:
    """Return the calling member's unread notifications."""
    programme = await call.programme()
    async with call.connection() as connection:
        return programme, await notifications.unread(connection, member_id(call), programme.now())


async def post_read(call: Call) -> ReadCount:
    """Mark notifications as read. Return how many were newly read, and how many are still unread."""
    body: ReadMarker = call.body
    programme = await call.programme()
    async with call.connection() as connection:
        if body.ids:
            read = await mark_read(connection, member_id(call), body.ids, programme.now())
        else:
            read = await mark_read_up_to(connection, member_id(call), body.up_to, programme.now())
        unread = await notifications.unread_count(connection, member_id(call), programme.now())
        return ReadCount(read=read, unread=unread)


def notification_view(programme: Programme, note: NotificationRow) -> Notification:
    """Return a notification as the current member API shows it."""
    changes, program = note.changes, programme.compiled
    return Notification(
        notification_id=str(note.notification_id),
        type=cast("Any", note.type),
        campaign_id=note.cause.campaign_id if note.cause.campaign_id in programme.campaigns else None,
        step=note.step,
        display=cast("Any", note.display),
        title=note.title,
        message=note.message,
        created_at=time_text(note.created_at),
        expires_at=optional_time(note.expires_at),
        read_at=optional_time(note.read_at),
        metrics={
            metric_id: MetricChange(
                before=amount_view(program, metric_id, before), after=amount_view(program, metric_id, after)
            )
            for metric_id, (before, after) in changes.metrics.items()
        },
        items=[ItemChange(product_id=item.product_id, quantity=item.quantity) for item in changes.items],
        rungs=[RungChange(ladder_id=move.document_id, before=move.before, after=move.after) for move in changes.moves],
    )

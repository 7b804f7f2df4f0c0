"""The operations of webhooks in addition to CRUD: secrets, state, deliveries and replays; and the feed to poll."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from plaudit import clock
from plaudit.api.http.operations import LIMIT, PAGING, Call, Operation, Parameter
from plaudit.api.http.paging import cursor_of, page_size, read_cursor
from plaudit.api.http.schemas import TEXT
from plaudit.api.http.wire import Json, optional_time, time_text, uuid_in
from plaudit.api.views.base import Acknowledgement, Page
from plaudit.api.views.webhooks import (
    DeliveryList,
    MessageFeed,
    ReplayResult,
    TestMessage,
    WebhookSecret,
    WebhookState,
    delivery_view,
)
from plaudit.core.ids import derived_id
from plaudit.delivery import attempts
from plaudit.delivery import feed as feeds
from plaudit.delivery.listeners import Listener
from plaudit.documents.kinds import KINDS
from plaudit.documents.webhook import WEBHOOK_TEST, Webhook
from plaudit.errors import Conflict, FieldError, Invalid, NotFound, invalid_fields
from plaudit.messages import WebhookTestData, payload_of
from plaudit.storage import documents
from plaudit.storage.outgoing import enqueue

WEBHOOK = KINDS["webhook"]
OVERLAP_SECONDS = 24 * 3_600
NEWEST = 2**62
REPLAY_PAGE_SIZE = 1_000
STATES = ("waiting", "delivered", "dead")

Instant = Annotated[datetime, Meta(tz=True)]


class SecretRotation(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How long messages are also signed with the old secret."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=7 * 86_400)] = OVERLAP_SECONDS


class ReplayRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Where to start: either `after` a cursor of the feed, or now the time `since`."""

    after: str | None = None
    since: Instant | None = None


async def _webhook(call: Call) -> tuple[str, Webhook]:
    webhook_id = call.path["webhookId"]
    async with call.connection() as connection:
        stored = await documents.fetch(connection, call.org_id, WEBHOOK, webhook_id)
    return webhook_id, msgspec.convert(stored.doc, Webhook)


async def get_secret(call: Call) -> WebhookSecret:
    """Return the secret that signs a webhook's messages."""
    webhook_id, _ = await _webhook(call)
    async with call.connection() as connection:
        secrets = await attempts.secrets_of(connection, call.org_id, webhook_id, clock.now())
    return WebhookSecret(webhook_id=webhook_id, secret=secrets.current)


async def get_state(call: Call) -> WebhookState:
    """Return a webhook's state: waiting and dead deliveries, and since when deliveries fail."""
    webhook_id, webhook = await _webhook(call)
    async with call.connection() as connection:
        row = await attempts.state_of(connection, call.org_id, webhook_id)
    inactive = webhook.status == "inactive"
    return WebhookState(
        webhook_id=webhook_id,
        status=webhook.status,
        waiting=row["waiting"],
        dead=row["dead"],
        failing_since=optional_time(row["failing_since"]),
        disabled_at=optional_time(row["disabled_at"]) if inactive else None,
        disabled_reason=row["disabled_reason"] if inactive else None,
    )


async def rotate_secret(call: Call) -> WebhookSecret:
    """Create another secret. Messages are signed with both for the overlap."""
    body: SecretRotation = call.body
    webhook_id, _ = await _webhook(call)
    now = clock.now()
    overlap = timedelta(seconds=body.overlap_seconds)
    async with call.connection() as connection:
        secret = await attempts.rotate(connection, call.org_id, webhook_id, now, overlap)
    return WebhookSecret(webhook_id=webhook_id, secret=secret, old_secret_ends_at=time_text(now + overlap))


async def test_webhook(call: Call) -> TestMessage:
    """Queue a message of type `webhook.test`. It is delivered like any other; its delivery shows the result."""
    webhook_id, webhook = await _webhook(call)
    if webhook.url is None or webhook.status != "active":
        raise Conflict("The webhook has no url or is inactive, so nothing can be delivered", code="webhook_inactive")
    now = clock.now()
    message_id = derived_id(call.org_id, f"{webhook_id} test {clock.new_uuid7()}")
    payload = payload_of(
        message_id, WEBHOOK_TEST, call.org_id, now, WebhookTestData(webhook_id=webhook_id, sent_by=call.caller_name),
        correlation_id=call.correlation_id,
    )  # fmt: skip
    async with call.connection() as connection:
        await attempts.secrets_of(connection, call.org_id, webhook_id, now)
        await enqueue(connection, call.org_id, message_id, WEBHOOK_TEST, payload, now, webhook_id)
    return TestMessage(message="Test message queued", message_id=f"msg_{message_id.hex}")


async def list_deliveries(call: Call) -> Page:
    """Return a webhook's deliveries, newest first. With `state=dead`, only those that are no longer retried."""
    webhook_id, _ = await _webhook(call)
    state = call.query.get("state")
    if state not in (None, *STATES):
        raise invalid_fields([FieldError("state", f"must be one of {', '.join(STATES)}")])
    page = call.page(tuple[feeds.Number], (NEWEST,))
    async with call.connection() as connection:
        rows = await attempts.deliveries(connection, call.org_id, webhook_id, *page.start, state, page.limit)
    rows, cursor = page.cut(rows, lambda row: (row["number"],))
    return DeliveryList.of([delivery_view(row) for row in rows], cursor=cursor)


async def retry_delivery(call: Call) -> Acknowledgement:
    """Queue another delivery of one message, for now."""
    webhook_id, _ = await _webhook(call)
    key = (call.org_id, webhook_id)
    message_id = uuid_in(call.path["deliveryId"], "msg_")
    async with call.connection() as connection:
        if message_id is None or not await attempts.once_more(connection, *key, message_id, clock.now()):
            raise NotFound("Delivery not found", code="delivery_not_found")
    return Acknowledgement(message="Delivery queued")


async def replay(call: Call) -> ReplayResult:
    """Queue all messages after a position for another delivery."""
    body: ReplayRequest = call.body
    webhook_id, webhook = await _webhook(call)
    if (body.after is None) == (body.since is None):
        raise invalid_fields([FieldError("after", "or since is required, and not both")])
    position = _position_in(body.after)
    listener = Listener(webhook_id=webhook_id, webhook=webhook)  # the deliverer checks the webhook's conditions
    queued = 0
    async with call.connection() as connection:
        number = await feeds.number_at(connection, call.org_id, position)
        while rows := await feeds.messages_after(connection, call.org_id, number, body.since, REPLAY_PAGE_SIZE):
            queued += await attempts.redeliver(connection, listener, rows, clock.now())
            number = rows[-1]["number"]
    return ReplayResult(queued=queued)


async def feed(call: Call) -> MessageFeed:
    """Return messages in order, for clients that poll. `cursor` is where to continue, even after the last message."""
    size = page_size(call.query)
    position = _position_in(call.query.get("after"))
    since = _since_in(call.query)
    type_ = call.query.get("type")
    async with call.connection() as connection:
        number = await feeds.number_at(connection, call.org_id, position)
        rows = await feeds.messages_after(connection, call.org_id, number, since, size + 1)
    page = rows[:size]
    last = feeds.position_of(page[-1]) if page else position
    messages: list[Any] = [msgspec.Raw(row["payload"].encode()) for row in page if type_ in (None, row["type"])]
    return MessageFeed(messages=messages, cursor=cursor_of(*last), has_more=len(rows) > size)


def _position_in(after: str | None) -> feeds.FeedPosition:
    """Return the feed position that a cursor encodes."""
    try:
        return read_cursor({"cursor": after or ""}, feeds.FeedPosition, feeds.START)
    except Invalid:
        raise invalid_fields([FieldError("after", f"must be a cursor of the feed (got {after!r})")]) from None


def _since_in(query: Mapping[str, str]) -> datetime | None:
    """Return the instant in `since`, if there is one."""
    text = query.get("since")
    if not text:
        return None
    try:
        return msgspec.convert(text, Instant)  # pyright: ignore[reportArgumentType]
    except msgspec.ValidationError:
        wrong = FieldError(
            "since", f"must be an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z (got {text!r})"
        )
        raise invalid_fields([wrong]) from None


_COMMON: Json = {"tag": "Webhooks"}
_ONE = "/v1/webhooks/{webhookId}"

OPERATIONS = [
    Operation(
        name="getWebhookSecret", method="GET", path=f"{_ONE}/secret", summary="Get a webhook's signing secret",
        run=get_secret, scope="admin:write", response=WebhookSecret, errors=(400, 404), **_COMMON,
    ),
    Operation(
        name="getWebhookState", method="GET", path=f"{_ONE}/state", summary="Get a webhook's delivery state",
        run=get_state, scope="admin:read",
        response=WebhookState, errors=(400, 404),
        **_COMMON,
    ),
    Operation(
        name="rotateWebhookSecret", method="POST", path=f"{_ONE}/rotate-secret",
        summary="Rotate a webhook's signing secret",
        description="Messages are signed with both secrets during an overlap.", run=rotate_secret,
        scope="admin:write", body=SecretRotation, response=WebhookSecret, shown_once="webhookId", errors=(400, 404, 413),
        **_COMMON,
    ),
    Operation(
        name="testWebhook", method="POST", path=f"{_ONE}/test", summary="Send a test message to a webhook",
        run=test_webhook, scope="admin:write", response=TestMessage, status=202,
        errors=(400, 404, 409), **_COMMON,
    ),
    Operation(
        name="listDeliveries", method="GET", path=f"{_ONE}/deliveries", summary="List a webhook's deliveries",
        run=list_deliveries, scope="admin:read", response=DeliveryList, errors=(400, 404),
        query=(Parameter("state", "Only those in this state.", {"enum": list(STATES)}), *PAGING), **_COMMON,
    ),
    Operation(
        name="retryDelivery", method="POST", path=f"{_ONE}/deliveries/{{deliveryId}}/retry",
        summary="Deliver a message again", run=retry_delivery, scope="admin:write",
        response=Acknowledgement, status=202, errors=(400, 404), **_COMMON,
    ),
    Operation(
        name="replayWebhook", method="POST", path=f"{_ONE}/replay",
        summary="Deliver all messages again from a point in time", run=replay, scope="admin:write", body=ReplayRequest,
        response=ReplayResult, status=202, errors=(400, 404, 409, 413), **_COMMON,
    ),
    Operation(
        name="listMessages", method="GET", path="/v1/feed", summary="List messages instead of receiving webhooks",
        description="For systems that cannot receive webhooks: poll with `after`. Messages are kept for 30 days.",
        run=feed, scope="members:read", response=MessageFeed,
        errors=(400, 409), query=(
            Parameter("after", "Cursor from the previous page", TEXT),
            Parameter("since", "Only messages written since an instant, RFC 3339.", TEXT),
            Parameter("type", "Only messages of this type.", TEXT), LIMIT,
        ), **_COMMON,
    ),
]  # fmt: skip

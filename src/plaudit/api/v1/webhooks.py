"""What webhooks have besides CRUD: secrets, deliveries, replays; and the feed for those who would rather fetch."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from plaudit import clock
from plaudit.api.operations import LIMIT, PAGING, Call, Operation, Parameter
from plaudit.api.outside import Json, optional_time, time_text, uuid_in
from plaudit.api.paging import cursor_of, page_size, paged, read_cursor
from plaudit.api.schemas import BOOLEAN, INTEGER, NULLABLE_TEXT, OBJECTS, TEXT, object_of, page_schema
from plaudit.core.ids import derived_id
from plaudit.delivery import outbox
from plaudit.delivery.outbox import Row
from plaudit.documents.kinds import KINDS
from plaudit.documents.webhook import Webhook
from plaudit.errors import Conflict, FieldError, NotFound, invalid_fields
from plaudit.messages import payload_of
from plaudit.storage import documents

WEBHOOK = KINDS["webhook"]
OVERLAP_SECONDS = 24 * 3_600
NEWEST = (2**62, 2**62)
REPLAYED_AT_ONCE = 1_000
STATES = ("waiting", "delivered", "dead")


class Rotation(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """For how long messages are signed with the old secret as well."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=7 * 86_400)] = OVERLAP_SECONDS


class Replay(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """From where on: after a cursor of the feed, or since an instant; one of the two."""

    after: str | None = None
    since: Annotated[datetime, Meta(tz=True)] | None = None


async def _webhook(call: Call) -> tuple[str, Webhook]:
    webhook_id = call.path["webhookId"]
    async with call.services.pool.acquire() as connection:
        stored = await documents.one(connection, call.org_id, WEBHOOK, webhook_id)
    return webhook_id, msgspec.convert(stored.doc, Webhook)


async def get_secret(call: Call) -> Json:
    """The secret that a webhook's messages are signed with, and how it is doing."""
    webhook_id, _ = await _webhook(call)
    async with call.services.pool.acquire() as connection:
        secrets = await outbox.secrets_of(connection, call.org_id, webhook_id, clock.now())
    return {"webhookId": webhook_id, "secret": secrets.present}


async def get_state(call: Call) -> Json:
    """How a webhook is doing: what waits, what was given up, since when it fails."""
    webhook_id, webhook = await _webhook(call)
    async with call.services.pool.acquire() as connection:
        row = await outbox.state_of(connection, call.org_id, webhook_id)
    return {
        "webhookId": webhook_id,
        "status": webhook.status,
        "waiting": row["waiting"],
        "dead": row["dead"],
        "failingSince": optional_time(row["failing_since"]),
        "disabledAt": optional_time(row["disabled_at"]),
    }


async def rotate_secret(call: Call) -> Json:
    """Another secret; for a while messages are signed with both."""
    body: Rotation = call.body
    webhook_id, _ = await _webhook(call)
    at = clock.now()
    overlap = timedelta(seconds=body.overlap_seconds)
    async with call.services.pool.acquire() as connection:
        secret = await outbox.rotate(connection, call.org_id, webhook_id, at, overlap)
    return {"webhookId": webhook_id, "secret": secret, "oldSecretEndsAt": time_text(at + overlap)}


async def test_webhook(call: Call) -> Json:
    """Have a message of type `webhook.test` delivered, like any other; its delivery tells how it went."""
    webhook_id, webhook = await _webhook(call)
    if webhook.url is None or webhook.status != "active":
        raise Conflict("The webhook has no url or is inactive: there is nothing to deliver to", code="webhook_inactive")
    at = clock.now()
    message_id = derived_id(call.org_id, f"{webhook_id} test {clock.new_id()}")
    payload = payload_of(
        message_id, "webhook.test", call.org_id, at, {"webhookId": webhook_id, "sentBy": call.by},
        correlation_id=call.correlation_id,
    )  # fmt: skip
    async with call.services.pool.acquire() as connection:
        await outbox.secrets_of(connection, call.org_id, webhook_id, at)
        await outbox.tell(connection, call.org_id, message_id, "webhook.test", payload, at, webhook_id)
    return {"message": "Test message queued", "messageId": f"msg_{message_id.hex}"}


async def list_deliveries(call: Call) -> Json:
    """A webhook's deliveries, newest first; `state=dead` are those that were given up."""
    webhook_id, _ = await _webhook(call)
    state = call.query.get("state")
    if state not in (None, *STATES):
        raise invalid_fields([FieldError("state", f"must be one of {', '.join(STATES)}")])
    size = page_size(call.query)
    before = read_cursor(call.query, tuple[int, int], NEWEST)
    async with call.services.pool.acquire() as connection:
        rows = await outbox.deliveries(connection, call.org_id, webhook_id, before, state, size + 1)
    page, cursor = paged(rows, size, lambda row: (row["xid"], row["ordinal"]))
    return {"deliveries": [_shown_delivery(row) for row in page], "cursor": cursor}


def _shown_delivery(row: Row) -> Json:
    return {
        "deliveryId": f"msg_{row['message_id'].hex}",
        "type": row["type"],
        "state": row["state"],
        "attempts": row["attempts"],
        "createdAt": time_text(row["created_at"]),
        "lastAttemptAt": optional_time(row["tried_at"]),
        "nextAttemptAt": time_text(row["next_at"]) if row["state"] == "waiting" else None,
        "responseStatus": row["status"],
        "error": row["error"],
        "milliseconds": row["milliseconds"],
    }


async def retry_delivery(call: Call) -> Json:
    """Have one message delivered once more, now."""
    webhook_id, webhook = await _webhook(call)
    message_id = uuid_in(call.path["deliveryId"], "msg_")
    async with call.services.pool.acquire() as connection:
        row = None if message_id is None else await outbox.one_message(connection, call.org_id, message_id)
        if row is None or not await outbox.again(connection, webhook_id, webhook, [row], clock.now()):
            raise NotFound("Delivery not found", code="delivery_not_found")
    return {"message": "Delivery queued"}


async def replay(call: Call) -> Json:
    """Have everything delivered once more from a place on."""
    body: Replay = call.body
    webhook_id, webhook = await _webhook(call)
    if (body.after is None) == (body.since is None):
        raise invalid_fields([FieldError("after", "or since must be there, and not both")])
    place = read_cursor({"cursor": body.after or ""}, tuple[int, int], (0, 0))
    queued = 0
    async with call.services.pool.acquire() as connection:
        while rows := await outbox.messages_after(connection, call.org_id, place, body.since, REPLAYED_AT_ONCE):
            queued += await outbox.again(connection, webhook_id, webhook, rows, clock.now())
            place = (rows[-1]["xid"], rows[-1]["ordinal"])
    return {"queued": queued}


async def feed(call: Call) -> Json:
    """The messages themselves, in order, for those who cannot be called; `cursor` is where to go on, also at the end."""
    size = page_size(call.query)
    place = read_cursor({"cursor": call.query.get("after", "")}, tuple[int, int], (0, 0))
    wanted = call.query.get("type")
    async with call.services.pool.acquire() as connection:
        rows = await outbox.messages_after(connection, call.org_id, place, None, size + 1)
    page = rows[:size]
    last = (page[-1]["xid"], page[-1]["ordinal"]) if page else place
    messages: list[Any] = [msgspec.Raw(row["payload"].encode()) for row in page if wanted in (None, row["type"])]
    return {"messages": messages, "cursor": cursor_of(*last), "hasMore": len(rows) > size}


def _secret_schema() -> Json:
    return object_of({"webhookId": TEXT, "secret": TEXT}, {"oldSecretEndsAt": TEXT})


_DELIVERY = object_of(
    {"deliveryId": TEXT, "type": TEXT, "state": {"enum": list(STATES)}, "attempts": INTEGER, "error": NULLABLE_TEXT}
)
_COMMON: Json = {"tag": "Webhooks"}
_ONE = "/v1/webhooks/{webhookId}"

OPERATIONS = [
    Operation(
        method="GET", path=f"{_ONE}/secret", summary="The secret that messages are signed with", run=get_secret,
        scope="admin:write", answer=_secret_schema(), errors=(400, 404), **_COMMON,
    ),
    Operation(
        method="GET", path=f"{_ONE}/state", summary="How a webhook is doing", run=get_state, scope="admin:read",
        answer=object_of({"webhookId": TEXT, "status": TEXT, "waiting": INTEGER, "dead": INTEGER}), errors=(400, 404),
        **_COMMON,
    ),
    Operation(
        method="POST", path=f"{_ONE}/rotate-secret", summary="Another secret, with an overlap", run=rotate_secret,
        scope="admin:write", body=Rotation, answer=_secret_schema(), errors=(400, 404, 413), **_COMMON,
    ),
    Operation(
        method="POST", path=f"{_ONE}/test", summary="Have a test message delivered", run=test_webhook,
        scope="admin:write", answer=object_of({"message": TEXT, "messageId": TEXT}), status=202,
        errors=(400, 404, 409), **_COMMON,
    ),
    Operation(
        method="GET", path=f"{_ONE}/deliveries", summary="Deliveries, newest first", run=list_deliveries,
        scope="admin:read", answer=page_schema("deliveries", _DELIVERY), errors=(400, 404),
        query=(Parameter("state", "Only those in this state.", {"enum": list(STATES)}), *PAGING), **_COMMON,
    ),
    Operation(
        method="POST", path=f"{_ONE}/deliveries/{{deliveryId}}/retry", summary="Deliver a message once more",
        run=retry_delivery, scope="admin:write", answer=object_of({"message": TEXT}), status=202, errors=(400, 404),
        **_COMMON,
    ),
    Operation(
        method="POST", path=f"{_ONE}/replay", summary="Deliver everything once more, from a place on", run=replay,
        scope="admin:write", body=Replay, answer=object_of({"queued": INTEGER}), status=202, errors=(400, 404, 413),
        **_COMMON,
    ),
    Operation(
        method="GET", path="/v1/feed", summary="The messages of webhooks, to be fetched", run=feed, scope="admin:read",
        answer=object_of({"messages": OBJECTS, "cursor": TEXT, "hasMore": BOOLEAN}), errors=(400,),
        query=(
            Parameter("after", "Where to go on: the cursor of the page before.", TEXT),
            Parameter("type", "Only messages of this type.", TEXT), LIMIT,
        ),
        **_COMMON,
    ),
]  # fmt: skip

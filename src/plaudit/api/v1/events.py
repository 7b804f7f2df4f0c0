"""Events: what arrived, when, from where, what became of it, and why."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.api.operations import PAGING, Answer, Call, Operation, Parameter
from plaudit.api.outside import (
    FAR_FUTURE,
    Json,
    event_ids_named,
    event_name,
    optional_time,
    time_text,
)
from plaudit.api.paging import GREATEST_ID, page_size, paged, read_cursor
from plaudit.api.schemas import NULLABLE_TEXT, NULLABLE_TIME, OBJECT, OBJECTS, TEXT, TIME, object_of, page_schema
from plaudit.core.ids import member_id_of
from plaudit.core.metrics import shown
from plaudit.engine.inbox import retry_failed
from plaudit.engine.outcome import outcome_from
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.reads import events
from plaudit.reads.explain import explained
from plaudit.storage.programs import load_at_version

Row = dict[str, Any]
STATES = ("queued", "processed", "rejected", "failed")


def shown_event(row: Row) -> Json:
    """An event as it looks outside."""
    payload = msgspec.json.decode(row["payload"])
    found: Json = {
        "eventId": event_name(row["event_id"], row["event_key"]),
        "userId": row["user_id"],
        "kind": row["kind"],
        "action": row["trigger"],
        "status": row["state"],
        "processed": row["state"] in ("processed", "rejected"),
        "timestamp": time_text(row["occurred_at"]),
        "receivedAt": time_text(row["received_at"]),
        "processedAt": optional_time(row.get("decided_at")),
        "source": row["source"],
        "data": payload["data"],
        "metadata": payload["metadata"],
    }
    if row["state"] == "rejected":
        refusal = outcome_from(row["outcome"]).refusal
        found["reason"] = None if refusal is None else f"rejected: {refusal.value.replace('_', ' ')}"
    if row["state"] == "failed":
        found["error"] = str(row["error"]).strip().rsplit("\n", 1)[-1]
        found["failedAt"] = time_text(row["failed_at"])
    if row.get("program_version") is not None:
        found["programVersion"] = row["program_version"]
    return found


async def list_events(call: Call) -> Json:
    """A page of the log, or with `status` of what waits or has failed; newest first."""
    state = call.query.get("status")
    if state is not None and state not in STATES:
        raise invalid_fields([FieldError("status", f"must be one of {', '.join(STATES)} (got {state!r})")])
    user_id = call.query.get("userId")
    member_id = None if user_id is None else member_id_of(call.org_id, user_id)
    size = page_size(call.query)
    async with call.services.pool.acquire() as connection:
        if state == "failed":
            place = read_cursor(call.query, tuple[datetime, UUID], (FAR_FUTURE, GREATEST_ID))
            rows = await events.page_of_failed(connection, call.org_id, place, member_id=member_id, size=size + 1)
            page, cursor = paged(rows, size, lambda row: (row["failed_at"], row["event_id"]))
        elif state == "queued":
            (before,) = read_cursor(call.query, tuple[int], (2**62,))
            rows = await events.page_of_inbox(connection, call.org_id, before, member_id=member_id, size=size + 1)
            page, cursor = paged(rows, size, lambda row: (row["inbox_id"],))
        else:
            start = read_cursor(call.query, tuple[datetime, int, int], (FAR_FUTURE, 256, 2**62))
            rows = await events.page_of_log(
                connection, call.org_id, start, member_id=member_id, state=state, size=size + 1
            )
            page, cursor = paged(rows, size, lambda row: (row["decided_at"], row["bucket"], row["position"]))
    return {"events": [shown_event(row) for row in page], "cursor": cursor}


async def _found(call: Call) -> Row:
    ids = event_ids_named(call.org_id, call.path["eventId"])
    async with call.services.pool.acquire() as connection:
        row = await events.one(connection, call.org_id, ids)
    if row is None:
        raise NotFound("Event not found", code="event_not_found")
    return row


async def one_event(call: Call) -> Json:
    """One event, wherever it is."""
    return shown_event(await _found(call))


async def explain(call: Call) -> Json:
    """Why an event led to what it led to: each campaign that listened, with the values compared."""
    row = await _found(call)
    shown_row = shown_event(row)
    if row["state"] not in ("processed", "rejected"):
        return {**shown_row, "campaigns": [], "transactions": []}
    async with call.services.pool.acquire() as connection:
        live = await load_at_version(connection, call.org_id, row["program_version"])
        posted = await events.transactions_of(connection, row)
    transactions = [
        {
            "transactionId": f"txn_{one['transaction_id']}",
            "metric": one["metric"],
            "amount": shown(one["amount"], live.program.metrics[one["metric"]].decimals),
            "balanceAfter": shown(one["balance_after"], live.program.metrics[one["metric"]].decimals),
            "campaignId": one["campaign_id"],
            "reason": one["reason"],
        }
        for one in posted
    ]
    return {
        **shown_row,
        "campaigns": explained(live, row["trigger"], outcome_from(row["outcome"])),
        "transactions": transactions,
    }


async def retry(call: Call) -> Answer:
    """Put a failed event back into the inbox."""
    async with call.services.pool.acquire() as connection:
        for event_id in event_ids_named(call.org_id, call.path["eventId"]):
            if await retry_failed(connection, call.org_id, event_id):
                return Answer(data={"message": "Event queued for processing"}, status=202)
    raise NotFound("There is no failed event of this id", code="event_not_found")


_EVENT_FIELDS = {
    "eventId": TEXT,
    "userId": TEXT,
    "kind": TEXT,
    "action": TEXT,
    "status": {"enum": list(STATES)},
    "processed": {"type": "boolean"},
    "timestamp": TIME,
    "receivedAt": TIME,
    "processedAt": NULLABLE_TIME,
    "source": TEXT,
    "data": OBJECT,
    "metadata": OBJECT,
}
_OPTIONAL = {"reason": NULLABLE_TEXT, "error": TEXT, "failedAt": TIME, "programVersion": {"type": "integer"}}
_EVENT = object_of(_EVENT_FIELDS, _OPTIONAL)

OPERATIONS = [
    Operation(
        method="GET",
        path="/v1/events",
        summary="What arrived, newest first; with a status: queued, processed, rejected or failed",
        run=list_events,
        scope="admin:read",
        tag="Events",
        answer=page_schema("events", _EVENT),
        query=(
            Parameter("status", "Only those in this state.", {"enum": list(STATES)}),
            Parameter("userId", "Only of this member.", {"type": "string"}),
            *PAGING,
        ),
        errors=(400,),
    ),
    Operation(
        method="GET",
        path="/v1/events/{eventId}",
        summary="One event",
        run=one_event,
        scope="admin:read",
        tag="Events",
        answer=_EVENT,
        errors=(400, 404),
    ),
    Operation(
        method="GET",
        path="/v1/events/{eventId}/explain",
        summary="Why: per campaign, what held or failed, with the values compared, and what was done",
        run=explain,
        scope="admin:read",
        tag="Events",
        answer=object_of(_EVENT_FIELDS | {"campaigns": OBJECTS, "transactions": OBJECTS}, _OPTIONAL),
        errors=(400, 404),
    ),
    Operation(
        method="POST",
        path="/v1/events/{eventId}/retry",
        summary="Try a failed event again",
        run=retry,
        scope="admin:write",
        tag="Events",
        answer=object_of({"message": TEXT}),
        status=202,
        errors=(400, 404),
    ),
]

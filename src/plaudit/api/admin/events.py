"""Events: list them, get one, explain its result, and retry a failed one."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.api.http.operations import PAGING, Call, Operation, Parameter
from plaudit.api.http.paging import GREATEST_ID
from plaudit.api.http.parameters import BETWEEN, CAUSE_PARAMETERS, causes_in, instant_in
from plaudit.api.http.wire import AFTER_ALL, event_ids_named, event_name, time_text
from plaudit.api.views.base import Acknowledgement, Page, view_from
from plaudit.api.views.cause import cause_view
from plaudit.api.views.events import Event, EventExplanation, EventList, EventTransaction, ExplainedCampaign
from plaudit.core.cause import Cause
from plaudit.core.event import ACTION
from plaudit.core.ids import member_id_of
from plaudit.core.metrics import to_number
from plaudit.core.refusals import all_refusals, codes_in_logs
from plaudit.engine.inbox import retry_failed
from plaudit.engine.processed import outcome_from
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.history.explain import explained
from plaudit.history.inactive_listeners import has_listeners, inactive_listeners
from plaudit.history.redecision import redecide
from plaudit.reads import events
from plaudit.reads.events import EventFilter
from plaudit.storage.postgres import Connection
from plaudit.storage.programmes import Programme, load_at_version

Row = dict[str, Any]
OUTCOMES = ("fired", "refused", "nothing")
STATES = ("queued", "processed", "rejected", "failed")


def event_view(programme: Programme, row: Row) -> Event:
    """Return an event as clients see it."""
    return Event(**_event_fields(programme, row))


def _event_fields(programme: Programme, row: Row) -> dict[str, Any]:
    payload, decided_at = msgspec.json.decode(row["payload"]), row.get("decided_at")
    fields = {
        "event_id": event_name(row["event_id"], row["event_key"]),
        "user_id": row["user_id"],
        "kind": row["kind"],
        "action": row["trigger"],
        "status": row["state"],
        "processed": row["state"] in ("processed", "rejected"),
        "timestamp": time_text(row["occurred_at"]),
        "received_at": time_text(programme.clock.from_wall(row["received_at"])),
        "processed_at": None if decided_at is None else time_text(programme.clock.from_wall(decided_at)),
        "source": row["source"],
        "data": payload["data"],
        "metadata": payload["metadata"],
    }
    if row["state"] == "rejected":
        refusal = outcome_from(row["outcome"]).refusal
        fields["reason"] = None if refusal is None else f"rejected: {refusal.replace('_', ' ')}"
    if row["state"] == "failed":
        fields["error"] = str(row["error"]).strip().rsplit("\n", 1)[-1]
        fields["failed_at"] = time_text(programme.clock.from_wall(row["failed_at"]))
    if row.get("program_version") is not None:
        fields["program_version"] = row["program_version"]
    return fields


async def list_events(call: Call) -> Page:
    """Return events of the log; with `status` also those that are queued or failed. Newest first."""
    event_filter = _filter_of(call)
    state = event_filter.state
    async with call.connection() as connection:
        if state == "failed":
            page = call.page(tuple[datetime, UUID], (AFTER_ALL, GREATEST_ID))
            rows = await events.page_of_failed(connection, call.org_id, page.start, event_filter, page.limit)
            rows, cursor = page.cut(rows, lambda row: (row["failed_at"], row["event_id"]))
        elif state == "queued":
            page = call.page(tuple[int], (2**62,))
            rows = await events.page_of_inbox(connection, call.org_id, *page.start, event_filter, page.limit)
            rows, cursor = page.cut(rows, lambda row: (row["inbox_id"],))
        else:
            page = call.page(tuple[datetime, int, int], (AFTER_ALL, 256, 2**62))
            rows, end = await events.page_of_log(connection, call.org_id, page.start, event_filter, page.limit)
            rows, cursor = page.cut(rows, lambda row: (row["decided_at"], row["bucket"], row["position"]), end)
    programme = await call.programme()
    return EventList.of([event_view(programme, row) for row in rows], cursor=cursor)


def _filter_of(call: Call) -> EventFilter:
    query = call.query
    state, user_id = query.get("status"), query.get("userId")
    if state in ("queued", "failed"):
        wrong = [
            FieldError(name, f"is only for decided events, and not allowed with status {state}")
            for name in ("campaignId", "cause", "outcome", "reason")
            if name in query
        ]
        if wrong:
            raise invalid_fields(wrong)
    return EventFilter(
        member_id=None if user_id is None else member_id_of(call.org_id, user_id),
        action=query.get("action"),
        since=instant_in(query, "since"),
        until=instant_in(query, "until"),
        state=state,
        causes=causes_in(query),
        outcome=query.get("outcome"),
        reasons=codes_in_logs(query["reason"]) if "reason" in query else None,
    )


async def _fetch(call: Call) -> Row:
    ids = event_ids_named(call.org_id, call.path["eventId"])
    async with call.connection() as connection:
        row = await events.fetch_event(connection, call.org_id, ids)
    if row is None:
        raise NotFound("Event not found", code="event_not_found")
    return row


async def one_event(call: Call) -> Event:
    """Return an event, whether it is queued, decided or failed."""
    return event_view(await call.programme(), await _fetch(call))


async def explain(call: Call) -> EventExplanation:
    """Explain an event's result: each campaign that listened, with the values compared."""
    row = await _fetch(call)
    current = await call.programme()
    async with call.connection() as connection:
        return await explained_event(connection, current, row)


async def explained_event(connection: Connection, current: Programme, row: Row) -> EventExplanation:
    """Return an event with each campaign's explanation and its transactions. `current` is the programme in force."""
    org_id = current.compiled.org_id
    fields = _event_fields(current, row)
    if row["state"] not in ("processed", "rejected"):
        return EventExplanation(**fields, campaigns=[], transactions=[])
    programme = await load_at_version(connection, org_id, row["program_version"])
    decided = await redecide(connection, programme, row)
    records = await events.transactions_of(connection, row)
    outcome = outcome_from(row["outcome"])
    campaigns = explained(programme, row["trigger"], outcome, decided)
    if row["kind"] == ACTION and outcome.refusal is None:
        campaigns += inactive_listeners(programme, row["trigger"], decided)
        if not campaigns and not has_listeners(programme, row["trigger"]):
            fields["note"] = f"No campaign or mechanic listens to {row['trigger']!r}"
    return EventExplanation(
        **fields,
        campaigns=[view_from(ExplainedCampaign, campaign) for campaign in campaigns],
        transactions=[_transaction_view(programme, record) for record in records],
    )


def _transaction_view(programme: Programme, record: Row) -> EventTransaction:
    decimals = programme.compiled.metrics[record["metric"]].decimals
    return EventTransaction(
        transaction_id=f"txn_{record['transaction_id']}",
        metric=record["metric"],
        amount=to_number(record["amount"], decimals),
        balance_after=to_number(record["balance_after"], decimals),
        **cause_view(Cause(record["cause_kind"], record["cause_id"])),
        reason=record["reason"],
    )


async def retry(call: Call) -> Acknowledgement:
    """Put a failed event back into the inbox."""
    async with call.connection() as connection:
        for event_id in event_ids_named(call.org_id, call.path["eventId"]):
            if await retry_failed(connection, call.org_id, event_id):
                return Acknowledgement(message="Event queued for processing")
    raise NotFound("No failed event has this id", code="event_not_found")


OPERATIONS = [
    Operation(
        name="listEvents",
        method="GET",
        path="/v1/events",
        summary="List events",
        description="Newest first. With `status`, only those that are queued, processed, rejected or failed.",
        run=list_events,
        scope="members:read",
        tag="Events",
        response=EventList,
        query=(
            Parameter("status", "Only those in this state.", {"enum": list(STATES)}),
            Parameter("userId", "Only of this member.", {"type": "string"}),
            Parameter("action", "Only of this action or other trigger.", {"type": "string"}),
            *CAUSE_PARAMETERS,
            Parameter(
                "outcome",
                "fired: a campaign fired; refused: a campaign listened and did not fire, or the event was rejected; "
                "nothing: no campaign listened. With campaignId, of that campaign.",
                {"enum": list(OUTCOMES)},
            ),
            Parameter(
                "reason",
                "Only events that were refused for this reason, or had an effect that was.",
                {"enum": all_refusals()},
            ),
            *BETWEEN,
            *PAGING,
        ),
        errors=(400,),
    ),
    Operation(
        name="getEvent",
        method="GET",
        path="/v1/events/{eventId}",
        summary="Get an event",
        run=one_event,
        scope="members:read",
        tag="Events",
        response=Event,
        errors=(400, 404),
    ),
    Operation(
        name="explainEvent",
        method="GET",
        path="/v1/events/{eventId}/explain",
        summary="Explain what an event led to, and why",
        description="For each campaign: the conditions with the values compared, the effects, or the refusal.",
        run=explain,
        scope="members:read",
        tag="Events",
        response=EventExplanation,
        errors=(400, 404),
    ),
    Operation(
        name="retryEvent",
        method="POST",
        path="/v1/events/{eventId}/retry",
        summary="Retry a failed event",
        run=retry,
        scope="admin:write",
        tag="Events",
        response=Acknowledgement,
        status=202,
        errors=(400, 404),
    ),
]

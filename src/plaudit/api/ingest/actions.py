"""Ingestion of actions, one or many. They are stored durably before the response."""

from collections.abc import Sequence
from typing import Any

import msgspec

from plaudit import bounds
from plaudit.api.http.operations import (
    BATCH_BYTES_MAX,
    NOT_DECODED,
    Call,
    Operation,
    OperationResult,
    decode_json,
    decode_loosely,
    without_mark,
)
from plaudit.api.views.actions import ActionBatchResult, ActionReceipt, batch_result
from plaudit.api.views.decision import outcome_of
from plaudit.core.event import API
from plaudit.core.ids import event_name
from plaudit.engine.arrival import Arrival
from plaudit.engine.inline import ImmediateResult, process_inline
from plaudit.errors import Invalid, PlauditError, TooLarge
from plaudit.ingest.action import Action
from plaudit.ingest.actions import (
    AcceptedAction,
    accept_actions,
    key_in,
    parse_action,
    refuse_mismatch,
    store_arrival,
    to_arrival,
)
from plaudit.ingest.members import known_users, remaining_user, user_among
from plaudit.storage.programmes import Programme

BATCH_ACTIONS_MAX = 1_000
WAIT_SECONDS_MAX = 30.0


async def post_action(call: Call) -> OperationResult:
    """Store one action; or, if the client wants to wait, return its outcome."""
    action: Action = call.body
    programme = await call.programme()
    user_id = user_among(action, await known_users(call.services.pool, programme, [action]))
    key = action.event_id or call.headers.get("idempotency-key") or key_in(action.metadata)
    seconds = _seconds_to_wait(call.headers.get("prefer", ""))
    if seconds is not None:  # otherwise it is passed on when it is decided, a moment later
        async with call.connection() as connection:
            user_id = await remaining_user(connection, call.org_id, user_id)
    arrival = to_arrival(programme, action, user_id, key, call.correlation_id, source=API)
    if seconds is not None:
        programme = await call.services.programmes.cached(call.org_id)
        outcome = await process_inline(call.services.engine_pool, programme.compiled, arrival, seconds=seconds)
        if outcome is not None:
            return _processed(programme, arrival, outcome)
    await store_arrival(call.services.inbox, arrival)
    return OperationResult(data=_queued(arrival), status=202, enveloped=False)


def _queued(arrival: Arrival) -> ActionReceipt:
    event_id = event_name(arrival.event_id, arrival.event_key)
    return ActionReceipt(event_id=event_id, processed=False, message="Action queued for processing")


def _processed(programme: Programme, arrival: Arrival, outcome: ImmediateResult) -> OperationResult:
    message = "Action processed"
    if outcome.processed.state == "duplicate":
        refuse_mismatch(arrival, outcome.conflicting)
        message = "Action had been processed before"
    data = ActionReceipt(
        event_id=event_name(arrival.event_id, arrival.event_key),
        processed=True,
        message=message,
        outcome=outcome_of(programme.compiled, outcome.processed),
    )
    return OperationResult(data=data, status=200, headers={"Preference-Applied": "wait"}, enveloped=False)


async def post_batch(call: Call) -> OperationResult:
    """Store up to 1,000 actions, from a JSON array or NDJSON. Each is validated separately."""
    results = batch_result(await accepted(call, _items_of(call.raw)))
    return OperationResult(data=results, status=202, enveloped=False)


async def accepted(call: Call, items: Sequence[Action | PlauditError]) -> list[AcceptedAction | PlauditError]:
    """Store a call's actions durably, and return the result of each in their order."""
    programme = await call.programme()
    return await accept_actions(
        call.services.pool, call.services.inbox, programme, items, source=API, correlation_id=call.correlation_id
    )


_ACTIONS = msgspec.json.Decoder(list[Action])
_ACTION = msgspec.json.Decoder(Action)


def _items_of(raw: bytes) -> list[Action | PlauditError]:
    """Return the actions of a batch, or the error in place of an invalid one. Raise Invalid if it is not a batch."""
    if len(raw) > BATCH_BYTES_MAX:
        raise TooLarge(f"The body is too large: at most {BATCH_BYTES_MAX:,} bytes (got {len(raw):,})")
    text = without_mark(raw).lstrip()
    if text.startswith(b"["):
        try:
            decoded = _ACTIONS.decode(text)
        except NOT_DECODED:
            items = [parse_action(bounds.fitting(item)) for item in _bounded(decode_loosely(text))]
        else:
            items = [bounds.fitting(action) for action in decoded]
    else:
        items = [_action_on(line) for line in text.splitlines() if line.strip()]
    return _bounded(items)


def _bounded(items: list[Any]) -> list[Any]:
    if not 1 <= len(items) <= BATCH_ACTIONS_MAX:
        raise Invalid(f"A batch must have 1 to {BATCH_ACTIONS_MAX} actions (got {len(items)})")
    return items


def _action_on(line: bytes) -> Action | PlauditError:
    try:
        return bounds.fitting(_ACTION.decode(line))
    except NOT_DECODED:
        try:
            return parse_action(decode_json(line))
        except Invalid as error:
            return error


def _seconds_to_wait(prefer: str) -> float | None:
    """Return the N of `Prefer: wait=N` (RFC 7240), bounded, or None if the client does not ask to wait."""
    for preference in prefer.lower().replace(";", ",").split(","):
        name, _, value = preference.strip().partition("=")
        if name == "wait" and value.isascii() and value.strip('"').isdigit():
            return min(float(value.strip('"')[:6]), WAIT_SECONDS_MAX)
    return None


OPERATIONS = [
    Operation(
        name="reportAction",
        method="POST",
        path="/api/audience/internal/actions",
        summary="Report an action",
        description=(
            "Returns 202 once the action is stored durably. With `Prefer: wait=N`, returns 200 with the "
            "outcome if it is processed within N seconds. An `eventId` makes retries safe: the same id "
            "counts once."
        ),
        run=post_action,
        scope="actions:write",
        tag="Actions",
        body=Action,
        response=ActionReceipt,
        status=202,
        other_statuses=(200,),
        enveloped=False,
        errors=(400, 413, 422),
    ),
    Operation(
        name="reportActionBatch",
        method="POST",
        path="/api/audience/internal/actions/batch",
        summary="Report up to 1,000 actions",
        description=(
            "A JSON array or NDJSON. Each action is validated separately: a bad one does not affect the others."
        ),
        run=post_batch,
        scope="actions:write",
        tag="Actions",
        body={"type": "array", "items": {"$of": Action}, "minItems": 1, "maxItems": BATCH_ACTIONS_MAX},
        response=ActionBatchResult,
        status=202,
        enveloped=False,
        errors=(400, 413),
        body_bytes_max=BATCH_BYTES_MAX,
        media="lines",
    ),
]

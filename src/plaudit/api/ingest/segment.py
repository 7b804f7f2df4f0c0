"""Twilio Segment's calls. `track` becomes an action; the traits of `identify` become profile fields.

A rejected call never gets the status 200, because the libraries discard every call that got 200.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from msgspec import UNSET, Meta, Struct

from plaudit import bounds
from plaudit.api.http.operations import BATCH_BYTES_MAX, Call, Operation, OperationResult, decode_loosely
from plaudit.api.http.wire import EventKey, UserId
from plaudit.api.run_command import run_command
from plaudit.api.shared.profiles import identity_conflicts
from plaudit.api.views.actions import IngestResult, Problem, TrackResult, ingest_result
from plaudit.clock import new_uuid7
from plaudit.core.event import PROFILE
from plaudit.core.triggers import TRIGGER_CHARACTER
from plaudit.documents.profile import validate_update
from plaudit.documents.validation import convert
from plaudit.errors import FieldError, Forbidden, IdempotencyConflict, PlauditError, invalid_fields
from plaudit.ingest.action import Action
from plaudit.ingest.actions import AcceptedAction
from plaudit.ingest.members import remaining_user

from .actions import accepted
from .cloudevents import check_batch_size, raise_first_error, to_action, with_client_field_names

_WORD = re.compile(rf"(?:{TRIGGER_CHARACTER})+")

# The names of an action's fields in a track call.
_NAMES = {"action": "event", "data": "properties", "eventId": "messageId"}
# Profile fields by the names of Segment's reserved traits.
_PROFILE_NAMES = {"birthday": "dateOfBirth", "createdAt": "signedUpAt"}


class Track(Struct, kw_only=True, rename="camel"):
    """Segment's `track`: `event` becomes the action (`Order Completed` is `order_completed`), `properties` its data."""

    event: Annotated[str, Meta(min_length=1, max_length=200)]
    user_id: UserId | None = None
    properties: dict[str, Any] | None = None
    timestamp: datetime | None = None
    sent_at: datetime | None = None
    message_id: EventKey | None = None
    context: dict[str, Any] | None = None


class Identify(Struct, kw_only=True, rename="camel"):
    """Segment's `identify`: `traits` are profile fields; null removes a field."""

    user_id: UserId | None = None
    traits: dict[str, Any] | None = None
    message_id: EventKey | None = None


class Batch(Struct, kw_only=True, rename="camel"):
    """Several calls. `sentAt` is when they were sent, by the device's clock."""

    batch: list[Any]
    sent_at: datetime | None = None


def action_name(event: str) -> str:
    """Return the action for a track event: in lower case, with words joined by `_`. Letters of any script are allowed."""
    return "_".join(_WORD.findall(unicodedata.normalize("NFC", event).lower())).strip("_")


def by_server_clock(timestamp: datetime | None, sent_at: datetime | None, now: datetime) -> datetime | None:
    """Return the time of an event by the server's clock: `timestamp`, corrected by the error of the device's clock."""
    if timestamp is None or sent_at is None:
        return timestamp
    try:
        return _instant(timestamp) + (now - _instant(sent_at))
    except OverflowError:
        return timestamp


def _instant(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _action_of(raw: Any, sent_at: datetime | None, now: datetime) -> Action | PlauditError:
    try:
        item = convert(raw, Track)
        metadata = {"source": "segment", **({"context": item.context} if item.context else {})}
        action = action_name(item.event)
        if not action:
            return invalid_fields([FieldError("event", f"must have a letter or a digit (got {item.event!r})")])
        return to_action(
            {
                "action": action,
                "userId": _user_id_of(item),
                "timestamp": by_server_clock(item.timestamp, item.sent_at or sent_at, now),
                "data": item.properties,
                "metadata": metadata,
                "eventId": item.message_id,
            }
        )
    except PlauditError as error:
        return error


def _user_id_of(item: Track | Identify) -> str:
    if item.user_id is None:
        raise invalid_fields([FieldError("userId", "is missing: events of anonymous users are not accepted")])
    return item.user_id


async def _run_identify(call: Call, raw: Any) -> AcceptedAction | PlauditError:
    """Write the traits to the profile, in the same way as `PUT /v1/profiles/{userId}`."""
    try:
        assert call.caller is not None
        if "members:write" not in call.caller.scopes:
            raise Forbidden("identify writes profiles: the write key must have the scope members:write")
        item = convert(raw, Identify)
        user_id = _user_id_of(item)
        traits = {_PROFILE_NAMES.get(name, name): value for name, value in (item.traits or {}).items()}
        if traits.get("id") == user_id:
            del traits["id"]
        rules = (await call.programme()).profiles
        update, wrong = validate_update(rules, traits, new=False)
        if wrong:
            raise invalid_fields([error.under("traits") for error in wrong])
        key = item.message_id or f"identify:{new_uuid7()}"
        async with call.connection() as connection:
            user_id = await remaining_user(connection, call.org_id, user_id)
        with identity_conflicts():
            processed, _, _ = await run_command(
                call, kind=PROFILE, trigger="profile.set", user_id=user_id, key=key,
                data={"attributes": update.attributes, "identities": update.names},
            )  # fmt: skip
        return AcceptedAction(key, processed.state != "duplicate")
    except PlauditError as error:
        return error


async def _process_calls(
    call: Call, messages: Sequence[Any], sent_at: datetime | None
) -> Sequence[AcceptedAction | PlauditError]:
    """Process the calls, and return the result of each. Profiles are written first, so that actions find their members."""
    now = (await call.programme()).now()
    results: dict[int, AcceptedAction | PlauditError] = {}
    actions: dict[int, Action | PlauditError] = {}
    for i, message in enumerate(messages):
        kind = cast("dict[str, Any]", message).get("type", "track") if isinstance(message, dict) else "track"
        if isinstance(message, PlauditError):
            results[i] = message
        elif kind == "identify":
            results[i] = await _run_identify(call, message)
        elif kind == "track":
            actions[i] = _action_of(message, sent_at, now)
        else:
            results[i] = invalid_fields([FieldError("type", f"must be track or identify (got {kind!r})")])
    accepted_actions = with_client_field_names(await accepted(call, list(actions.values())), _NAMES)
    results |= dict(zip(actions, accepted_actions, strict=True))
    return [results[i] for i in range(len(messages))]


async def track(call: Call) -> OperationResult:
    """Store the action of a track call."""
    return await _process_call(call, "track")


async def identify(call: Call) -> OperationResult:
    """Write the traits of an identify call to the profile."""
    return await _process_call(call, "identify")


async def _process_call(call: Call, kind: str) -> OperationResult:
    message = {**cast("dict[str, Any]", call.body), "type": kind} if isinstance(call.body, dict) else call.body
    raise_first_error(await _process_calls(call, [message], None))
    return OperationResult(data=TrackResult(success=True), status=200, enveloped=False)


async def segment_batch(call: Call) -> OperationResult:
    """Process a batch of calls. The status is 200 if all are accepted, otherwise 400 or 422, with the result of each."""
    batch = convert(_check_each_call(decode_loosely(call.raw or b"{}")), Batch)
    results = await _process_calls(call, batch.batch, batch.sent_at)
    refused = sum(isinstance(result, PlauditError) for result in results)
    message = f"{refused} of {len(results)} calls were refused; the others are accepted, and count once if sent again"
    error = Problem(message=message, code="partly_refused") if refused else UNSET
    only_mismatches = all(
        isinstance(result, IdempotencyConflict) for result in results if isinstance(result, PlauditError)
    )
    status = 200 if not refused else 422 if only_mismatches else 400
    return OperationResult(data=ingest_result(results, error), status=status, enveloped=False)


def _check_each_call(body: Any) -> Any:
    """Return the body of a batch, with each call that has a value out of bounds replaced by its error."""
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    calls = fields.get("batch")
    if not isinstance(calls, list):
        bounds.check(body)
        return cast("Any", body)
    others = {name: value for name, value in fields.items() if name != "batch"}
    bounds.check(others)
    return others | {"batch": [bounds.fitting(item) for item in check_batch_size(cast("list[Any]", calls))]}


_SEGMENT: dict[str, Any] = {
    "description": "For Twilio Segment's libraries, whose write key is an API secret. Not related to Plaudit's segments.",
    "method": "POST", "scope": "actions:write", "tag": "Actions", "body": {"type": "object"}, "enveloped": False,
    "errors": (400, 403, 409, 413, 422),
}  # fmt: skip

OPERATIONS = [
    Operation(
        name="trackEvent", path="/v1/track", summary="Report an event in Twilio Segment's track format", run=track,
        response=TrackResult, **_SEGMENT,
    ),
    Operation(
        name="identifyMember", path="/v1/identify", summary="Update a profile in Twilio Segment's identify format",
        run=identify, response=TrackResult, **_SEGMENT,
    ),
    Operation(
        name="trackEventBatch", path="/v1/batch", summary="Report events in Twilio Segment's batch format",
        run=segment_batch, response=IngestResult, body_bytes_max=BATCH_BYTES_MAX, media="lines", **_SEGMENT,
    ),
]  # fmt: skip

"""The calls of Segment's libraries: `track` becomes an action; the traits of `identify` become fields of the profile.

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
from plaudit.ingest.members import user_who_goes_on

from .actions import accepted
from .cloudevents import action_from, bounded, in_the_senders_words, raise_refusal

_WORD = re.compile(rf"(?:{TRIGGER_CHARACTER})+")

# What the fields of an action are called in a track call.
_NAMES = {"action": "event", "data": "properties", "eventId": "messageId"}
# Traits that Segment reserves, and what they are called in a profile.
_PROFILE_NAMES = {"birthday": "dateOfBirth", "createdAt": "signedUpAt"}


class Track(Struct, kw_only=True, rename="camel"):
    """Segment's `track`: `event` is the action (`Order Completed` becomes `order_completed`), `properties` its data."""

    event: Annotated[str, Meta(min_length=1, max_length=200)]
    user_id: UserId | None = None
    properties: dict[str, Any] | None = None
    timestamp: datetime | None = None
    sent_at: datetime | None = None
    message_id: EventKey | None = None
    context: dict[str, Any] | None = None


class Identify(Struct, kw_only=True, rename="camel"):
    """Segment's `identify`: `traits` are fields of the profile; null removes one."""

    user_id: UserId | None = None
    traits: dict[str, Any] | None = None
    message_id: EventKey | None = None


class Batch(Struct, kw_only=True, rename="camel"):
    """Several calls; `sentAt` is when they were sent, by the device's clock."""

    batch: list[Any]
    sent_at: datetime | None = None


def action_name(event: str) -> str:
    """Return the action of a track call's event: lower case, words joined by `_`; letters of any script are kept."""
    return "_".join(_WORD.findall(unicodedata.normalize("NFC", event).lower())).strip("_")


def by_our_clock(timestamp: datetime | None, sent_at: datetime | None, now: datetime) -> datetime | None:
    """Return when something happened by the server's clock, corrected by how far the device's clock is off."""
    if timestamp is None or sent_at is None:
        return timestamp
    try:
        return _instant(timestamp) + (now - _instant(sent_at))
    except OverflowError:
        return timestamp


def _instant(given: datetime) -> datetime:
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def _of_track(raw: Any, sent_at: datetime | None, now: datetime) -> Action | PlauditError:
    try:
        item = convert(raw, Track)
        metadata = {"source": "segment", **({"context": item.context} if item.context else {})}
        action = action_name(item.event)
        if not action:
            return invalid_fields([FieldError("event", f"must have a letter or a digit (got {item.event!r})")])
        return action_from(
            {
                "action": action,
                "userId": _user_in(item),
                "timestamp": by_our_clock(item.timestamp, item.sent_at or sent_at, now),
                "data": item.properties,
                "metadata": metadata,
                "eventId": item.message_id,
            }
        )
    except PlauditError as error:
        return error


def _user_in(one: Track | Identify) -> str:
    if one.user_id is None:
        raise invalid_fields([FieldError("userId", "is missing: events of anonymous users are not accepted")])
    return one.user_id


async def _identified(call: Call, raw: Any) -> AcceptedAction | PlauditError:
    """Write traits into a profile, in the same way as by `PUT /v1/profiles/{userId}`."""
    try:
        assert call.caller is not None
        if "members:write" not in call.caller.scopes:
            raise Forbidden("identify writes profiles: the write key must have the scope members:write")
        item = convert(raw, Identify)
        user_id = _user_in(item)
        traits = {_PROFILE_NAMES.get(name, name): value for name, value in (item.traits or {}).items()}
        if traits.get("id") == user_id:
            del traits["id"]
        rules = (await call.programme()).profiles
        found, wrong = validate_update(rules, traits, new=False)
        if wrong:
            raise invalid_fields([error.under("traits") for error in wrong])
        key = item.message_id or f"identify:{new_uuid7()}"
        async with call.connection() as connection:
            user_id = await user_who_goes_on(connection, call.org_id, user_id)
        with identity_conflicts():
            processed, _, _ = await run_command(
                call, kind=PROFILE, trigger="profile.set", user_id=user_id, key=key,
                data={"attributes": found.attributes, "identities": found.names},
            )  # fmt: skip
        return AcceptedAction(key, processed.state != "duplicate")
    except PlauditError as error:
        return error


async def _taken(
    call: Call, messages: Sequence[Any], sent_at: datetime | None
) -> Sequence[AcceptedAction | PlauditError]:
    """Return the result of each call. Profiles come first, so the actions find their members."""
    now = (await call.programme()).now()
    results: dict[int, AcceptedAction | PlauditError] = {}
    actions: dict[int, Action | PlauditError] = {}
    for i, message in enumerate(messages):
        kind = cast("dict[str, Any]", message).get("type", "track") if isinstance(message, dict) else "track"
        if isinstance(message, PlauditError):
            results[i] = message
        elif kind == "identify":
            results[i] = await _identified(call, message)
        elif kind == "track":
            actions[i] = _of_track(message, sent_at, now)
        else:
            results[i] = invalid_fields([FieldError("type", f"must be track or identify (got {kind!r})")])
    told = in_the_senders_words(await accepted(call, list(actions.values())), _NAMES)
    results |= dict(zip(actions, told, strict=True))
    return [results[i] for i in range(len(messages))]


async def track(call: Call) -> OperationResult:
    """Store one event of Segment's libraries."""
    return await _one(call, "track")


async def identify(call: Call) -> OperationResult:
    """Write the traits of one user to their profile."""
    return await _one(call, "identify")


async def _one(call: Call, kind: str) -> OperationResult:
    given = {**cast("dict[str, Any]", call.body), "type": kind} if isinstance(call.body, dict) else call.body
    raise_refusal(await _taken(call, [given], None))
    return OperationResult(data=TrackResult(success=True), status=200, enveloped=False)


async def segment_batch(call: Call) -> OperationResult:
    """Store a batch of Segment's libraries: 200 if all calls are accepted, else 400 or 422 with each result."""
    given = convert(_each_alone(decode_loosely(call.raw or b"{}")), Batch)
    results = await _taken(call, given.batch, given.sent_at)
    refused = sum(isinstance(result, PlauditError) for result in results)
    message = f"{refused} of {len(results)} calls were refused; the others are accepted, and count once if sent again"
    error = Problem(message=message, code="partly_refused") if refused else UNSET
    only_mismatches = all(
        isinstance(result, IdempotencyConflict) for result in results if isinstance(result, PlauditError)
    )
    status = 200 if not refused else 422 if only_mismatches else 400
    return OperationResult(data=ingest_result(results, error), status=status, enveloped=False)


def _each_alone(body: Any) -> Any:
    """The body of a batch, with the error in the place of each call that has a value beyond the bounds."""
    given = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    calls = given.get("batch")
    if not isinstance(calls, list):
        bounds.check(body)
        return cast("Any", body)
    around = {name: value for name, value in given.items() if name != "batch"}
    bounds.check(around)
    return around | {"batch": [bounds.fitting(item) for item in bounded(cast("list[Any]", calls))]}


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

"""Ingestion: actions in, one or many; durable before the answer."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from plaudit import clock, telemetry
from plaudit.core.event import ACTION
from plaudit.core.triggers import is_reserved
from plaudit.documents.dialects import trigger_key
from plaudit.documents.reading import wrong_fields
from plaudit.documents.trigger import check_data
from plaudit.engine.arrival import Arrival, Payload, arrival_of
from plaudit.engine.inline import InTimeOutcome, process_inline
from plaudit.errors import FieldError, Invalid, Mismatch, PlauditError, TooLarge, invalid_fields
from plaudit.reads.identities import users_known_as
from plaudit.storage.programs import Live

from .operations import BATCH_BYTES_MAX, NOT_DECODED, Answer, Call, Operation, check_nesting, decode_json
from .outcomes import outcome_schema, shown_outcome
from .outside import Json, UserId, event_name
from .schemas import TEXT, object_of

BATCH_ACTIONS_MAX = 1_000
WAIT_SECONDS_MAX = 30.0
# A sender's clock may be a little ahead of ours; further, and a typing error would end streaks and open campaigns.
AHEAD_MAX = timedelta(minutes=5)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

# The character U+0000 as JSON writes it: its backslash is not itself escaped. PostgreSQL's texts cannot hold it.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

EventKey = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,128}$")]


class Action(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a client reports. One of `userId`, `email` and `phone` says who; `eventId` makes it count once."""

    action: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
    user_id: UserId | None = None
    email: UserId | None = None
    phone: UserId | None = None
    timestamp: datetime | None = None
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    event_id: EventKey | None = None


async def post_action(call: Call) -> Answer:
    """One action: accepted when it is durable, or processed when the client would rather wait."""
    action: Action = call.body
    live = await call.services.programs.live(call.org_id)
    user_id = await _user_of(call, action)
    key = action.event_id or call.headers.get("idempotency-key") or _key_in(action.metadata)
    arrival = arrival_for(live, action, user_id, key, call.correlation_id)
    seconds = _seconds_to_wait(call.headers.get("prefer", ""))
    if seconds is not None:
        outcome = await process_inline(call.services.engine_pool, live.program, arrival, seconds=seconds)
        if outcome is not None:
            return _processed(live, arrival, outcome)
    appended = await call.services.inbox.append([arrival])
    _refuse_mismatch(arrival, appended.mismatched)
    telemetry.actions_accepted.inc()
    return Answer(data=_queued(arrival), status=202, enveloped=False)


def _queued(arrival: Arrival) -> Json:
    return {
        "eventId": event_name(arrival.event_id, arrival.event_key),
        "processed": False,
        "message": "Action queued for processing",
    }


def _processed(live: Live, arrival: Arrival, outcome: InTimeOutcome) -> Answer:
    data = _queued(arrival) | {"processed": True, "message": "Action processed"}
    if outcome.processed.state == "duplicate":
        _refuse_mismatch(arrival, outcome.mismatched)
        data["message"] = "Action had been processed before"
    data["outcome"] = shown_outcome(live.program, outcome.processed)
    return Answer(data=data, status=200, headers={"Preference-Applied": "wait"}, enveloped=False)


def _refuse_mismatch(arrival: Arrival, mismatched: frozenset[UUID]) -> None:
    if arrival.event_id in mismatched:
        raise Mismatch(f"Event {arrival.event_key} came with another content before")


async def post_batch(call: Call) -> Answer:
    """Up to 1,000 actions, as a JSON array or NDJSON; each answered on its own."""
    results = await accepted(call, _items_of(call.raw))
    counts = Counter(str(one["status"]) for one in results)
    totals = {status: counts[status] for status in ("accepted", "duplicate", "refused")}
    return Answer(data={**totals, "results": results}, status=202, enveloped=False)


async def accepted(call: Call, items: Sequence[Action | PlauditError]) -> list[Json]:
    """Make actions durable; answers what became of each, in their order."""
    live = await call.services.programs.live(call.org_id)
    known = await _known_users(call, [one for one in items if isinstance(one, Action)])
    arrivals: list[Arrival | PlauditError] = []
    for item in items:
        try:
            if isinstance(item, PlauditError):
                raise item
            user_id = _user_among(item, known)
            arrivals.append(
                arrival_for(live, item, user_id, item.event_id or _key_in(item.metadata), call.correlation_id)
            )
        except PlauditError as error:
            arrivals.append(error)
    good = [one for one in arrivals if isinstance(one, Arrival)]
    first: dict[UUID, Arrival] = {}
    for one in good:  # in their order: what was reported first is decided first
        first.setdefault(one.event_id, one)
    appended = await call.services.inbox.append(list(first.values())) if good else None
    results: list[Json] = []
    for i, one in enumerate(arrivals):
        if isinstance(one, Arrival):
            assert appended is not None
            new = one.event_id in appended.new and first[one.event_id] is one
            differs = one.fingerprint != first[one.event_id].fingerprint
            if one.event_id in appended.mismatched or differs:
                error = Mismatch(f"Event {one.event_key} came with another content before")
                results.append(_refused(i, error))
                continue
            name = event_name(one.event_id, one.event_key)
            results.append({"index": i, "status": "accepted" if new else "duplicate", "eventId": name})
        else:
            results.append(_refused(i, one))
    telemetry.actions_accepted.inc(sum(one["status"] == "accepted" for one in results))
    return results


def _refused(index: int, error: PlauditError) -> Json:
    shown: Json = {"message": error.message, "code": error.code}
    if error.fields:
        shown["details"] = [{"field": one.field, "message": one.message} for one in error.fields]
    return {"index": index, "status": "refused", "error": shown}


_ACTIONS = msgspec.json.Decoder(list[Action])
_ACTION = msgspec.json.Decoder(Action)


def _items_of(raw: bytes) -> list[Action | PlauditError]:
    """The lines of a batch, each an action or what is wrong with it. Raises Invalid when it is no batch at all."""
    if len(raw) > BATCH_BYTES_MAX:
        raise TooLarge(f"The body may have {BATCH_BYTES_MAX} bytes at most (got {len(raw)})")
    text = raw.lstrip()
    if text.startswith(b"["):
        try:
            decoded = _ACTIONS.decode(text)
        except NOT_DECODED:
            items = [action_of(one) for one in decode_json(text)]
        else:
            items = [_shallow(one) for one in decoded]
    else:
        items = [_action_on(line) for line in text.splitlines() if line.strip()]
    if not 1 <= len(items) <= BATCH_ACTIONS_MAX:
        raise Invalid(f"A batch must have 1 to {BATCH_ACTIONS_MAX} actions (got {len(items)})")
    return items


def _shallow(action: Action) -> Action | PlauditError:
    try:
        check_nesting(action)
    except Invalid as error:
        return error
    return action


def action_of(value: Any) -> Action | PlauditError:
    """An action from plain values, or what is wrong with it."""
    try:
        return msgspec.convert(value, Action)
    except msgspec.ValidationError:
        return invalid_fields(wrong_fields(value, Action))


def _action_on(line: bytes) -> Action | PlauditError:
    try:
        return _shallow(_ACTION.decode(line))
    except NOT_DECODED:
        try:
            return action_of(decode_json(line))
        except Invalid as error:
            return error


def arrival_for(live: Live, action: Action, user_id: str, key: str | None, correlation_id: str) -> Arrival:
    """An action as it goes into the inbox. Raises Invalid naming every field that is wrong."""
    trigger = action.action
    wrong: list[FieldError] = []
    now = live.now()
    if is_reserved(trigger) or trigger_key(trigger) != trigger:
        wrong.append(FieldError("action", f"must not be one of the engine's own triggers (got {trigger!r})"))
    occurred_at = now if action.timestamp is None else _instant(action.timestamp)
    if not EARLIEST <= occurred_at <= now + AHEAD_MAX:
        wrong.append(FieldError("timestamp", "must lie between the year 2000 and five minutes from now"))
    if key is not None and not 1 <= len(key) <= 128:
        wrong.append(FieldError("Idempotency-Key", "must have 1 to 128 characters"))
    declared = live.triggers.get(trigger)
    if declared is not None and declared.strict:
        wrong += check_data(declared, action.data)
    if wrong:
        raise invalid_fields(wrong)
    try:
        arrival = arrival_of(
            org_id=live.program.org_id,
            user_id=user_id,
            kind=ACTION,
            trigger=trigger,
            occurred_at=occurred_at,
            received_at=clock.now(),
            payload=Payload(action.data, action.metadata, correlation_id),
            source="api",
            event_id=clock.new_id(),
            event_key=key,
        )
    except OverflowError:
        raise invalid_fields([FieldError("data", "must not have integers beyond 64 bits")]) from None
    if r"\u0000" in arrival.payload and _NUL.search(arrival.payload):
        raise invalid_fields([FieldError("data", "must not contain the character U+0000")])
    return arrival


def _instant(timestamp: datetime) -> datetime:
    """A time without a zone is UTC, as in the documents' own examples."""
    try:
        return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _key_in(metadata: Mapping[str, Any]) -> str | None:
    key = metadata.get("idempotencyKey")
    return key if isinstance(key, str) else None


def _seconds_to_wait(prefer: str) -> float | None:
    """The N of `Prefer: wait=N` (RFC 7240), bounded; None when the client does not ask for it."""
    for preference in prefer.lower().replace(";", ",").split(","):
        name, _, value = preference.strip().partition("=")
        if name == "wait" and value.strip('"').isdigit():
            return min(float(value.strip('"')[:6]), WAIT_SECONDS_MAX)
    return None


async def _user_of(call: Call, action: Action) -> str:
    if action.user_id is not None and "@" not in action.user_id and not action.user_id.startswith("+"):
        return action.user_id
    return _user_among(action, await _known_users(call, [action]))


async def _known_users(call: Call, actions: Sequence[Action]) -> dict[str, str]:
    """The user ids behind the e-mail addresses and phone numbers that actions name their users by."""
    names = {
        name
        for one in actions
        for name in (one.user_id, one.email, one.phone)
        if name is not None and ("@" in name or name.startswith("+"))
    }
    if not names:
        return {}
    async with call.services.pool.acquire() as connection:
        return await users_known_as(connection, call.org_id, names)


def _user_among(action: Action, known: Mapping[str, str]) -> str:
    """Who an action is about: the user named, or known by an address. Raises Invalid when it names nobody."""
    for name in (action.user_id, action.email, action.phone):
        if name is not None and name in known:
            return known[name]
    named = action.user_id or action.email or action.phone
    if named is None:
        raise invalid_fields([FieldError("userId", "is missing")])
    return named


_QUEUED = object_of({"eventId": TEXT, "processed": {"type": "boolean"}, "message": TEXT}, {"outcome": outcome_schema()})
_RESULT = object_of(
    {"index": {"type": "integer"}, "status": {"enum": ["accepted", "duplicate", "refused"]}},
    {"eventId": TEXT, "error": {"type": "object"}},
)
_COUNT = {"type": "integer"}

OPERATIONS = [
    Operation(
        method="POST",
        path="/api/audience/internal/actions",
        summary="Report an action; accepted once it is durable. `Prefer: wait=N` answers when it is processed (200)",
        run=post_action,
        scope="actions:write",
        tag="Actions",
        body=Action,
        answer=_QUEUED,
        status=202,
        also=(200,),
        enveloped=False,
        errors=(400, 413, 422),
    ),
    Operation(
        method="POST",
        path="/api/audience/internal/actions/batch",
        summary="Report up to 1,000 actions, as a JSON array or NDJSON; each is answered on its own",
        run=post_batch,
        scope="actions:write",
        tag="Actions",
        body={"type": "array", "items": {"$of": Action}, "minItems": 1, "maxItems": BATCH_ACTIONS_MAX},
        answer=object_of(
            {
                "accepted": _COUNT,
                "duplicate": _COUNT,
                "refused": _COUNT,
                "results": {"type": "array", "items": _RESULT},
            }
        ),
        status=202,
        enveloped=False,
        errors=(400, 413),
        body_bytes_max=BATCH_BYTES_MAX,
        media="lines",
    ),
]

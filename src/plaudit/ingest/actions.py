"""Accept the actions that clients and files report: resolve their users, validate them, and store them in the inbox."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit import bounds, clock, telemetry
from plaudit.core.event import ACTION
from plaudit.core.ids import event_name
from plaudit.core.triggers import is_reserved
from plaudit.documents.dialects import trigger_key
from plaudit.documents.lenient import id_text
from plaudit.documents.trigger import check_data
from plaudit.documents.validation import convert
from plaudit.engine.arrival import Arrival, Payload, arrival_from_client
from plaudit.engine.inbox import Inbox
from plaudit.errors import FieldError, IdempotencyConflict, Invalid, PlauditError, invalid_fields
from plaudit.storage import jobs
from plaudit.storage.postgres import Pool
from plaudit.storage.programmes import Programme

from .action import Action
from .members import known_users, name_of_user, user_among

EVENT_KEY_MAX = 128
# A sender's clock may be a little ahead. Beyond that, a mistyped time would run timers and open campaigns early.
CLOCK_SKEW_MAX = timedelta(minutes=5)
OLDEST_TIMESTAMP = datetime(2000, 1, 1, tzinfo=UTC)


def refuse_mismatch(arrival: Arrival, mismatched: frozenset[UUID]) -> None:
    """Raise IdempotencyConflict if the arrival is among those whose key was used for different content."""
    if arrival.event_id in mismatched:
        raise _mismatch(arrival)


def _mismatch(arrival: Arrival) -> IdempotencyConflict:
    return IdempotencyConflict(f"Event {arrival.event_key!r} was already reported with different content")


async def store_arrival(inbox: Inbox, arrival: Arrival) -> None:
    """Store one arrival durably. Raise IdempotencyConflict if its key was used for different content."""
    appended = await inbox.append([arrival])
    refuse_mismatch(arrival, appended.conflicting)
    telemetry.actions_accepted.inc(arrival.event_id in appended.new)


class AcceptedAction(Struct, frozen=True):
    """An action that is stored durably. If it was reported before, `new` is False."""

    event: str
    new: bool


async def accept_actions(
    pool: Pool, inbox: Inbox, programme: Programme, items: Sequence[Action | PlauditError], *, source: str,
    correlation_id: str = "", job_id: UUID | None = None,
) -> list[AcceptedAction | PlauditError]:  # fmt: skip
    """Store actions durably. Return one result per action, in order.

    `source` says how they arrived (see `core.event`); `job_id` is the import that contains them.
    """
    known = await known_users(pool, programme, [action for action in items if isinstance(action, Action)])
    arrivals: list[Arrival | PlauditError] = []
    for item in items:
        try:
            if isinstance(item, PlauditError):
                raise item
            user_id = user_among(item, known)
            arrivals.append(
                to_arrival(
                    programme, item, user_id, item.event_id or key_in(item.metadata), correlation_id, source=source
                )
            )
        except PlauditError as error:
            arrivals.append(error)
    good = [arrival for arrival in arrivals if isinstance(arrival, Arrival)]
    first: dict[UUID, Arrival] = {}
    for arrival in good:  # in their order: what was reported first is decided first
        first.setdefault(arrival.event_id, arrival)
    if job_id is not None and good:
        async with pool.acquire() as connection:
            await jobs.take_members(connection, job_id, {(arrival.bucket, arrival.member_id) for arrival in good})
    appended = await inbox.append(list(first.values())) if good else None
    results: list[AcceptedAction | PlauditError] = []
    for arrival in arrivals:
        if isinstance(arrival, PlauditError):
            results.append(arrival)
            continue
        assert appended is not None
        before = first[arrival.event_id]
        if arrival.event_id in appended.conflicting or arrival.fingerprint != before.fingerprint:
            results.append(_mismatch(arrival))
            continue
        new = before is arrival and arrival.event_id in appended.new
        results.append(AcceptedAction(event_name(arrival.event_id, arrival.event_key), new))
    telemetry.actions_accepted.inc(sum(isinstance(result, AcceptedAction) and result.new for result in results))
    return results


def parse_action(value: Any) -> Action | PlauditError:
    """Return an action from plain values, or the error in them. An error is returned as it is."""
    if isinstance(value, PlauditError):
        return value
    try:
        return convert(value, Action)
    except Invalid as error:
        return error


def to_arrival(
    programme: Programme, action: Action, user_id: str, key: str | None, correlation_id: str, *, source: str
) -> Arrival:
    """Return an action as the inbox stores it. Raise Invalid, which names every field that is wrong."""
    trigger = action.action
    wrong: list[FieldError] = []
    now = programme.now()
    if is_reserved(trigger) or trigger_key(trigger) != trigger:
        wrong.append(FieldError("action", f"is reserved for the engine's own triggers (got {trigger!r})"))
    occurred_at = now if action.timestamp is None else _instant(action.timestamp)
    if not OLDEST_TIMESTAMP <= occurred_at <= now + CLOCK_SKEW_MAX:
        wrong.append(FieldError("timestamp", "must be between 2000-01-01 and five minutes from now"))
    message = None if key is None else bounds.wrong_id(key, EVENT_KEY_MAX)
    if message is not None:
        wrong.append(FieldError("Idempotency-Key" if action.event_id is None else "eventId", message))
    declared = programme.triggers.get(trigger)
    if declared is not None and declared.strict:
        wrong += check_data(declared, action.data)
    if wrong:
        raise invalid_fields(wrong)
    return arrival_from_client(
        org_id=programme.compiled.org_id,
        user_id=user_id,
        kind=ACTION,
        trigger=trigger,
        occurred_at=occurred_at,
        received_at=clock.now(),
        payload=Payload(action.data, action.metadata, correlation_id),
        source=source,
        event_id=clock.new_uuid7(),
        event_key=key,
        who=name_of_user(action),
    )


def _instant(timestamp: datetime) -> datetime:
    """A time without a zone is UTC, as in the documents' own examples."""
    try:
        return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def key_in(metadata: Mapping[str, Any] | None) -> str | None:
    """Return the key that an action has in its metadata, if it has one."""
    key = id_text(metadata.get("idempotencyKey")) if metadata else None
    return key if isinstance(key, str) else None

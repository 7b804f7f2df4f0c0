"""Commands of the API. A command is an event that is decided before the response is sent, entirely or not at all."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from plaudit import clock
from plaudit.core.decision import Refusal
from plaudit.core.ids import bucket_of, derived_id, member_id_of
from plaudit.core.refusals import message_of
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.engine.inline import CommandRefused, process_inline
from plaudit.engine.processed import ProcessedEvent
from plaudit.errors import Conflict, IdempotencyConflict, NotFound, PlauditError, Unavailable

from .http.operations import Call
from .views.decision import next_at_of

COMMAND_SECONDS_MAX = 30.0
EVENT_KEY_MAX = 128

# The sentence if the refusal concerns the receiver of the command, not the member who sends.
_OTHERS: dict[str, str] = {
    Refusal.balance_at_maximum: "The receiver's balance would exceed its maximum",
    Refusal.unknown_user: "The receiver does not exist",
    Refusal.member_merged: "The receiver has been merged into another member: use that one",
    Refusal.balance_insufficient: "The receiver no longer has the points",
    Refusal.reversal_too_large: "The receiver's transaction has been reversed before",
}

NO_OTHERS: Mapping[str, dict[str, Any]] = {}


async def run_command(
    call: Call,
    *,
    kind: str,
    trigger: str,
    user_id: str,
    data: dict[str, Any],
    metadata: dict[str, Any] | None = None,
    key: str | None = None,
    also: Mapping[str, dict[str, Any]] = NO_OTHERS,
    through: Sequence[str] = (),
) -> tuple[ProcessedEvent, datetime, UUID]:
    """Decide a command and commit the results. Return the processed event, its time and its id.

    A `key` makes it count once: a repetition with the same content returns the duplicate's outcome. `also` has the data
    of the same command for other members, by user id: all succeed or none does. `through` names members whose
    follow-up events are decided in the same transaction. Raise Conflict or NotFound if the decision is a refusal; then nothing is stored.
    """
    programme = await call.services.programmes.cached(call.org_id)
    now = programme.now()
    arrival = arrival_from_client(
        org_id=call.org_id,
        user_id=user_id,
        kind=kind,
        trigger=trigger,
        occurred_at=now,
        received_at=clock.now(),
        payload=Payload(data, metadata or {}, call.correlation_id),
        source=call.caller_name,
        event_id=clock.new_uuid7(),
        event_key=_key_of(call, trigger) if key is None else key,
    )
    others = [
        arrival_from_client(
            org_id=call.org_id, user_id=name, kind=kind, trigger=trigger, occurred_at=now, received_at=clock.now(),
            payload=Payload(own, {}, call.correlation_id), source=call.caller_name, event_id=derived_id(arrival.event_id, f"also:{name}"),
        )
        for name, own in also.items()
    ]  # fmt: skip
    try:
        outcome = await process_inline(
            call.services.engine_pool, programme.compiled, arrival, seconds=COMMAND_SECONDS_MAX, whole=True, also=others,
            through=[bucket_of(member_id_of(call.org_id, name)) for name in through],
        )  # fmt: skip
    except CommandRefused as error:
        is_other = error.processed.arrival.member_id != arrival.member_id
        raise _refusal(error, programme.now(), is_other=is_other) from None
    if outcome is None:
        raise Unavailable(
            "Timed out: the outcome is unknown. Retry with the same Idempotency-Key or eventId; it counts once"
        )
    if outcome.conflicting:
        raise IdempotencyConflict(f"Event {key!r} was already reported with different content")
    if outcome.processed.decision is None and key is None:
        # The first response was lost with its process; the Idempotency-Key still prevents a second posting.
        raise Conflict("The command was already run", code="already_done")
    return outcome.processed, now, arrival.event_id


def _key_of(call: Call, trigger: str) -> str | None:
    """Return the event key of a request with an Idempotency-Key. Each member has keys of their own."""
    if call.idempotency_key is None:
        return None
    key = f"{trigger}:{call.idempotency_key}"
    assert call.caller is not None
    own = call.caller.member_id
    if own is None and len(key) <= EVENT_KEY_MAX:
        return key
    return str(derived_id(own or call.org_id, key))


def _refusal(error: CommandRefused, now: datetime, *, is_other: bool) -> PlauditError:
    decision = error.processed.decision
    if decision is None or decision.refusal is None:
        return PlauditError("Internal error: nothing was changed", code="command_failed")
    sentence = (_OTHERS.get(decision.refusal) if is_other else None) or message_of(decision.refusal)
    if decision.refusal.endswith("_not_found"):
        return NotFound(sentence, code=str(decision.refusal))
    return Conflict(sentence, code=str(decision.refusal), next_at=next_at_of(error.processed), now=now)

"""An event at the door: what the inbox keeps of it until it is decided."""

from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType

from plaudit.core.event import Event
from plaudit.core.ids import bucket_of, derived_id, event_id_of, member_id_of
from plaudit.storage.postgres import as_sent

TICK = "tick"
NOTHING_SAID = '{"data":{},"metadata":{}}'


class Payload(Struct, frozen=True):
    """What the sender said, beside who and when. `correlation_id` names the request, from intake to webhook."""

    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    correlation_id: str | UnsetType = UNSET


class Arrival(Struct, frozen=True, gc=False):
    """A row of the inbox, in the order of its columns. `inbox_id` is None for what does not wait there."""

    bucket: int
    event_id: UUID
    event_key: str | None
    org_id: UUID
    member_id: UUID
    user_id: str
    kind: str
    trigger: str
    occurred_at: datetime
    received_at: datetime
    source: str
    fingerprint: int | None
    payload: str
    inbox_id: int | None = None

    def event(self) -> Event:
        """What the core decides on."""
        payload = _DECODER.decode(self.payload)
        return Event(
            event_id=self.event_id,
            member_id=self.member_id,
            user_id=self.user_id,
            kind=self.kind,
            trigger=self.trigger,
            occurred_at=self.occurred_at,
            data=payload.data,
            metadata=payload.metadata,
            source=self.source,
        )


_DECODER = msgspec.json.Decoder(Payload)
_ENCODER = msgspec.json.Encoder()


def arrival_of(
    *,
    org_id: UUID,
    user_id: str,
    kind: str,
    trigger: str,
    occurred_at: datetime,
    received_at: datetime,
    payload: Payload,
    source: str,
    event_id: UUID,
    event_key: str | None = None,
) -> Arrival:
    """An arrival with its derived parts: the member, the bucket, and the id when the sender named the event.

    Raises OverflowError for an integer beyond 64 bits in the payload, which JSON numbers are not safe for.
    """
    org_id = as_sent(org_id)  # and so are the ids derived from it
    member_id = member_id_of(org_id, user_id)
    encoded = _ENCODER.encode(payload)
    fingerprint = None
    if event_key is not None:
        event_id = event_id_of(org_id, event_key)
        # Sent again, it comes with another correlation id.
        said = encoded if payload.correlation_id is UNSET else _ENCODER.encode(Payload(payload.data, payload.metadata))
        fingerprint = fingerprint_of(user_id, trigger, said)
    return Arrival(
        bucket=bucket_of(member_id),
        event_id=event_id,
        event_key=event_key,
        org_id=org_id,
        member_id=member_id,
        user_id=user_id,
        kind=kind,
        trigger=trigger,
        occurred_at=occurred_at,
        received_at=received_at,
        source=source,
        fingerprint=fingerprint,
        payload=encoded.decode(),
    )


def timer_arrival(cause: Arrival, timer: Event) -> Arrival:
    """A timer as it goes into the log: it has not arrived from anywhere, so it was received with what woke it."""
    return Arrival(
        bucket=cause.bucket,
        event_id=timer.event_id,
        event_key=None,
        org_id=cause.org_id,
        member_id=timer.member_id,
        user_id=cause.user_id,
        kind=timer.kind,
        trigger=timer.trigger,
        occurred_at=timer.occurred_at,
        received_at=cause.received_at,
        source=timer.source,
        fingerprint=None,
        payload=NOTHING_SAID,
    )


def tick(*, bucket: int, member_id: UUID, user_id: str, org_id: UUID, now: datetime) -> Arrival:
    """Not an event: the wish that what is due for a member by `now` be decided. Should it fail, it does so once."""
    return Arrival(
        bucket=bucket, event_id=derived_id(member_id, TICK), event_key=None, org_id=org_id, member_id=member_id, user_id=user_id,
        kind=TICK, trigger=TICK, occurred_at=now, received_at=now, source="engine", fingerprint=None, payload=NOTHING_SAID,
    )  # fmt: skip


def correlation_id_of(payload: str) -> str | None:
    """The name of the request that a payload came with."""
    found = _DECODER.decode(payload).correlation_id
    return None if found is UNSET else found


def fingerprint_of(user_id: str, trigger: str, payload: bytes) -> int:
    """64 bits of the content of an event: the same key with another content is told by it."""
    digest = blake2b(f"{user_id}\n{trigger}\n".encode() + payload, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)

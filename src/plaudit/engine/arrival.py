"""An event at the door: what the inbox keeps of it until it is decided."""

from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.event import Event
from plaudit.core.ids import bucket_of, event_id_of, member_id_of


class Payload(Struct, frozen=True):
    """What the sender said, beside who and when."""

    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class Arrival(Struct, frozen=True, kw_only=True, gc=False):
    """A row of the inbox. `inbox_id` is None for what does not wait there (see `engine/process`)."""

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
    member_id = member_id_of(org_id, user_id)
    encoded = _ENCODER.encode(payload)
    fingerprint = None
    if event_key is not None:
        event_id = event_id_of(org_id, event_key)
        fingerprint = fingerprint_of(user_id, trigger, encoded)
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


def fingerprint_of(user_id: str, trigger: str, payload: bytes) -> int:
    """64 bits of the content of an event: the same key with another content is told by it."""
    digest = blake2b(f"{user_id}\n{trigger}\n".encode() + payload, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)

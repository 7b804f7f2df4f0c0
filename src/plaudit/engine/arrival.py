"""An arrival: an event as the inbox stores it until it is decided."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType

from plaudit.bounds import NUL_IN_JSON, without_nul
from plaudit.core.decision import FollowUp
from plaudit.core.event import Event
from plaudit.core.ids import bucket_of, derived_id, event_id_of, member_id_of
from plaudit.storage.postgres import to_driver_uuid

from .fingerprints import fingerprint_of, is_same

TICK = "tick"
EMPTY_PAYLOAD = '{"data":{},"metadata":{}}'


class Payload(Struct, frozen=True):
    """The content of an event, apart from its member and time. `correlation_id` identifies the request in all messages."""

    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    correlation_id: str | UnsetType = UNSET


class Arrival(Struct, frozen=True, gc=False):
    """A row of the inbox, with fields in the order of its columns. `inbox_id` is None for an event that is not there."""

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
        """Return the event that the core decides."""
        payload = _DECODER.decode(self.payload)
        data = payload.data
        if NUL_IN_JSON in self.payload:  # accepted by an earlier version; no text column can store its results
            data = without_nul(data)
        return Event(
            event_id=self.event_id,
            member_id=self.member_id,
            user_id=self.user_id,
            kind=self.kind,
            trigger=self.trigger,
            occurred_at=self.occurred_at,
            data=data,
            metadata=payload.metadata,
            source=self.source,
        )

    def says(self, stored: int) -> bool:
        """Return whether the content matches a stored fingerprint of an event with the same key."""
        return is_same(stored, self.fingerprint, self.user_id, self.trigger, _DECODER.decode(self.payload))


_DECODER = msgspec.json.Decoder(Payload)
_ENCODER = msgspec.json.Encoder()


def arrival_from_client(
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
    who: str | None = None,
) -> Arrival:
    """Return an arrival with the derived fields: the member, the bucket, and the id if the event has a key.

    `who` is the sender's name for the member, if it is not the user id. It is part of the fingerprint, since the name can
    belong to another member when the event is sent again.
    """
    org_id = to_driver_uuid(org_id)  # the ids derived from it then have that type too
    member_id = member_id_of(org_id, user_id)
    encoded = _ENCODER.encode(payload)
    fingerprint = None
    if event_key is not None:
        event_id = event_id_of(org_id, event_key)
        fingerprint = fingerprint_of(who or user_id, trigger, payload.data, payload.metadata)
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


def follow_up_arrival(cause: Arrival, follow_up: FollowUp, received_at: datetime) -> Arrival:
    """Return the arrival of an event that follows from another member's event."""
    return arrival_from_client(
        org_id=cause.org_id, user_id=follow_up.user_id, kind=follow_up.kind, trigger=follow_up.trigger, occurred_at=follow_up.occurred_at,
        received_at=received_at, payload=Payload(follow_up.data, follow_up.metadata), source="engine", event_id=follow_up.event_id,
    )  # fmt: skip


def logged(row: Mapping[str, Any]) -> Arrival:
    """Return an event of the log as an arrival. (Its fingerprint is stored in another table, with its id.)"""
    return Arrival(**{name: row[name] for name in _OF_LOG}, fingerprint=None)


_OF_LOG = tuple(name for name in Arrival.__struct_fields__ if name not in ("fingerprint", "inbox_id"))


def timer_arrival(cause: Arrival, timer: Event) -> Arrival:
    """Return a timer as an arrival for the log. Its time of receipt is that of the event that made it run."""
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
        payload=EMPTY_PAYLOAD,
    )


def timer_tick(*, bucket: int, member_id: UUID, user_id: str, org_id: UUID, now: datetime, at: datetime) -> Arrival:
    """Return an arrival that runs a member's timers due by `now`. It is not an event itself.

    `now` is by the organisation's clock. `at`, by the wall clock, is the time of receipt. A member's ticks all have the
    same id, so a tick that fails is stored once.
    """
    return Arrival(
        bucket=bucket, event_id=derived_id(member_id, TICK), event_key=None, org_id=org_id, member_id=member_id, user_id=user_id,
        kind=TICK, trigger=TICK, occurred_at=now, received_at=at, source="engine", fingerprint=None, payload=EMPTY_PAYLOAD,
    )  # fmt: skip


def correlation_id_of(payload: str) -> str | None:
    """Return the correlation id of a payload, or None."""
    correlation_id = _DECODER.decode(payload).correlation_id
    return None if correlation_id is UNSET else correlation_id

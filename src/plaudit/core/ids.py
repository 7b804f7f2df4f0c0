"""Derived ids: the same input always gives the same id, so nothing is paid twice (UUIDv5, RFC 9562, 5.5)."""

from hashlib import sha1
from uuid import UUID, SafeUUID

from .event import TAKEOVER

BUCKET_COUNT = 256

_new, _set = object.__new__, object.__setattr__
_EMPTY_HASH = sha1(usedforsecurity=False)  # copied for each id: looking up the algorithm takes longer than hashing


def derived_id(namespace: UUID, name: str) -> UUID:
    """Return UUIDv5 of `name` in `namespace`; equal to `uuid.uuid5`, with less overhead (a batch derives thousands).

    The id has the class of the namespace: the driver sends its own class faster than Python's.
    """
    hashing = _EMPTY_HASH.copy()
    hashing.update(namespace.bytes + name.encode())
    raw = bytearray(hashing.digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x50  # version 5
    raw[8] = raw[8] & 0x3F | 0x80  # the variant
    uuid_class = namespace.__class__
    if uuid_class is not UUID:
        return uuid_class(bytes(raw))  # pyright: ignore[reportArgumentType]
    derived = _new(UUID)  # as unpickling does: skips the checks of UUID(), which cannot fail here
    _set(derived, "int", int.from_bytes(raw, "big"))
    _set(derived, "is_safe", SafeUUID.unknown)
    return derived


def member_id_of(org_id: UUID, user_id: str) -> UUID:
    """Return the id of an organisation's member with this user id."""
    return derived_id(org_id, "member:" + user_id)


def bucket_of(member_id: UUID) -> int:
    """Return the member's bucket, 0 to 255. Events are ordered, locked and distributed by bucket."""
    return member_id.int & (BUCKET_COUNT - 1)


def bucket_of_org(org_id: UUID) -> int:
    """Return the bucket, 256 to 511, of an organisation's messages that concern no member. It has no log."""
    return BUCKET_COUNT + (org_id.int & (BUCKET_COUNT - 1))


def event_id_of(org_id: UUID, key: str) -> UUID:
    """Return the id of an event with a sender's key: the same key is the same event."""
    return derived_id(org_id, "event:" + key)


def effect_id_of(event_id: UUID, campaign_id: str, step: int, index: int) -> UUID:
    """Return the id of an effect, derived from event, cause, step and index (docs/decisions/0004)."""
    return derived_id(event_id, f"{campaign_id}/{step}/{index}")


def cascade_id_of(event_id: UUID, ordinal: int) -> UUID:
    """Return the id of the `ordinal`-th event that followed from `event_id` within its decision."""
    return derived_id(event_id, f"cascade:{ordinal}")


def takeover_id(merge_id: UUID) -> UUID:
    """Return the id of a merge's second half: the event of the member who takes over."""
    return derived_id(merge_id, TAKEOVER)


def event_name(event_id: UUID, event_key: str | None) -> str:
    """Return an event's public id: its sender's key, if it has one."""
    return event_key if event_key is not None else f"evt_{event_id}"

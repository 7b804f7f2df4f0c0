"""Derived ids: the same input always gives the same id, so nothing is paid twice (UUIDv5, RFC 9562, 5.5)."""

from hashlib import sha1
from uuid import UUID, SafeUUID

BUCKET_COUNT = 256

_new, _set = object.__new__, object.__setattr__
_BEGUN = sha1(usedforsecurity=False)  # copied, as to look the algorithm up takes longer than to run it


def derived_id(namespace: UUID, name: str) -> UUID:
    """Return UUIDv5 of `name` in `namespace`; equal to `uuid.uuid5`, with less overhead (a batch derives thousands).

    Its class is that of the namespace: the driver sends its own class faster than Python's.
    """
    hashing = _BEGUN.copy()
    hashing.update(namespace.bytes + name.encode())
    raw = bytearray(hashing.digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x50  # version 5
    raw[8] = raw[8] & 0x3F | 0x80  # the variant
    of = namespace.__class__
    if of is not UUID:
        return of(bytes(raw))  # pyright: ignore[reportArgumentType]
    derived = _new(UUID)  # as unpickling makes one: what UUID() would check is known
    _set(derived, "int", int.from_bytes(raw, "big"))
    _set(derived, "is_safe", SafeUUID.unknown)
    return derived


def member_id_of(org_id: UUID, user_id: str) -> UUID:
    """Return the member's id: one for each organisation and client's identifier."""
    return derived_id(org_id, "member:" + user_id)


def bucket_of(member_id: UUID) -> int:
    """Return the member's bucket, 0 to 255: the unit of order, parallelism and distribution."""
    return member_id.int & (BUCKET_COUNT - 1)


def bucket_of_org(org_id: UUID) -> int:
    """Return the bucket, 256 to 511, of what an organisation says that is about no member: it has no log, only messages."""
    return BUCKET_COUNT + (org_id.int & (BUCKET_COUNT - 1))


def event_id_of(org_id: UUID, key: str) -> UUID:
    """Return the id of an event that its sender named `key`: the same key is the same event."""
    return derived_id(org_id, "event:" + key)


def effect_id_of(event_id: UUID, campaign_id: str, step: int, index: int) -> UUID:
    """Return the id of an effect, derived from event, cause, step and index (docs/decisions/0004)."""
    return derived_id(event_id, f"{campaign_id}/{step}/{index}")


def cascade_id_of(event_id: UUID, ordinal: int) -> UUID:
    """Return the id of the `ordinal`-th event that followed from `event_id` within its decision."""
    return derived_id(event_id, f"cascade:{ordinal}")


def event_name(event_id: UUID, event_key: str | None) -> str:
    """Return an event's public id: its sender's own name for it, if it has one."""
    return event_key if event_key is not None else f"evt_{event_id}"

"""Fingerprints: a 64-bit hash of an event's content, to tell a retry from a different event with the same key.

JSON objects have no order, and 5.0 equals 5 (RFC 8259), so one event can be written in several ways. The content is
hashed with sorted keys, and with whole numbers written as integers. Earlier versions hashed the text as sent. Databases
still have those fingerprints, so compare fingerprints with `is_same`.
"""

from hashlib import blake2b
from typing import Any, cast

import msgspec

_IN_ORDER = msgspec.json.Encoder(order="sorted")
_AS_SENT = msgspec.json.Encoder()

_INTEGER_MAX = 1 << 63


def fingerprint_of(who: str, trigger: str, data: Any, metadata: Any) -> int:
    """Return a 64-bit hash of the content of an event about `who`, as its sender names them."""
    content = _IN_ORDER.encode((data, metadata))
    # How 5.0 and, from 10^16 to 2^63, 1e16 are written. A match inside a string only costs time.
    if b".0" in content or b"e1" in content:
        content = _IN_ORDER.encode(_with_integers(msgspec.to_builtins((data, metadata))))
    return _hashed(who, trigger, content)


def is_same(stored: int, fingerprint: int | None, user_id: str, trigger: str, payload: Any) -> bool:
    """Return whether a stored fingerprint is of the same content, even if an earlier version stored it."""
    if stored == fingerprint:
        return True
    as_sent = _AS_SENT.encode({"data": payload.data, "metadata": payload.metadata})
    return stored == _hashed(user_id, trigger, as_sent)


def _hashed(who: str, trigger: str, content: bytes) -> int:
    digest = blake2b(f"{who}\n{trigger}\n".encode() + content, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _with_integers(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _INTEGER_MAX else value
    if isinstance(value, dict):
        return {name: _with_integers(item) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_with_integers(item) for item in cast("list[Any]", value)]
    return value

"""The wall clock: the only place that reads time."""

import os
import time
from datetime import UTC, datetime
from uuid import UUID


def now() -> datetime:
    """The present instant, in UTC, to the microsecond."""
    return datetime.now(UTC)


def time_text(instant: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as the documents show times."""
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


# Asking the system for chance takes longer than all the rest of an id: it is asked for many at once.
DRAWN_AT_ONCE = 512
_drawn = bytearray()
os.register_at_fork(after_in_child=_drawn.clear)


def new_id() -> UUID:
    """A drawn id that grows with time (UUIDv7, RFC 9562, 5.7), so that what is written together lies together."""
    milliseconds = time.time_ns() // 1_000_000
    if len(_drawn) < 10:
        _drawn.extend(os.urandom(10 * DRAWN_AT_ONCE))
    chance = int.from_bytes(_drawn[-10:], "big")
    del _drawn[-10:]
    high = chance >> 68  # 12 bits
    low = chance & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)

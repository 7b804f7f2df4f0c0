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


def new_id() -> UUID:
    """A drawn id that grows with time (UUIDv7, RFC 9562, 5.7), so that what is written together lies together."""
    milliseconds = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10), "big")
    high = chance >> 68  # 12 bits
    low = chance & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)

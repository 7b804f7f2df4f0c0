"""The wall clock, which only this module reads, and organisations' clocks, which tests can advance.

Everything that members and programmes see follows the organisation's clock. The wall clock applies to the server itself:
keys and tokens, rate limits, leases, deliveries, jobs, retention, and the times when rows were written. When the API
shows the time of a row, it converts that time to the organisation's clock.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct


def now() -> datetime:
    """Return the current time, in UTC, to the microsecond."""
    return datetime.now(UTC)


class Move(Struct, frozen=True):
    """A change of a clock: its time by the wall clock, and the clock's offsets before and after."""

    moved_at: datetime
    before: timedelta
    after: timedelta


class OrgClock(Struct, frozen=True):
    """An organisation's clock: how far it is ahead of the wall clock, and its changes."""

    offset: timedelta = timedelta(0)
    moves: tuple[Move, ...] = ()

    def now(self) -> datetime:
        """Return the current time by this clock."""
        return now() + self.offset

    def from_wall(self, instant: datetime) -> datetime:
        """Convert a time of the wall clock to this clock."""
        for move in reversed(self.moves):
            if instant >= move.moved_at:
                return instant + move.after
        return instant + (self.moves[0].before if self.moves else self.offset)

    def wall_of(self, instant: datetime) -> datetime:
        """Return the time of the wall clock at which this clock first showed `instant` or later."""
        for move in reversed(self.moves):
            if instant >= move.moved_at + move.after:
                return instant - move.after
            if instant >= move.moved_at + move.before:
                return move.moved_at
        return instant - (self.moves[0].before if self.moves else self.offset)


WALL = OrgClock()  # a clock that was never advanced


# Reading random bytes from the system is the slowest part of an id, so they are read for many ids at the same time.
IDS_PER_READ = 512
_random_buffer = bytearray()
os.register_at_fork(after_in_child=_random_buffer.clear)


def new_uuid7() -> UUID:
    """Return a random id that grows with time (UUIDv7, RFC 9562, 5.7), so rows written together are stored together."""
    milliseconds = time.time_ns() // 1_000_000
    if len(_random_buffer) < 10:
        _random_buffer.extend(os.urandom(10 * IDS_PER_READ))
    random_bits = int.from_bytes(_random_buffer[-10:], "big")
    del _random_buffer[-10:]
    high = random_bits >> 68  # 12 bits
    low = random_bits & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)

"""The wall clock, the only place that reads time; and the clock of an organisation, which a test may have moved on.

What members and their programme see is by the organisation's clock. By the wall clock is what belongs to the server: keys
and tokens, rate limits, leases, deliveries, jobs, what is deleted when, and when a row was written. Where the time at which
a row was written is shown, it is shown by the organisation's clock.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct


def now() -> datetime:
    """Return the present instant, in UTC, to the microsecond."""
    return datetime.now(UTC)


class Move(Struct, frozen=True):
    """A change of a clock: when (by the wall clock), and how far it was ahead before and after."""

    moved_at: datetime
    before: timedelta
    after: timedelta


class OrgClock(Struct, frozen=True):
    """An organisation's clock: how far it is ahead of the wall clock, and its changes."""

    offset: timedelta = timedelta(0)
    moves: tuple[Move, ...] = ()

    def now(self) -> datetime:
        """Return the present instant by this clock."""
        return now() + self.offset

    def from_wall(self, instant: datetime) -> datetime:
        """Return what this clock showed at an instant of the wall clock."""
        for move in reversed(self.moves):
            if instant >= move.moved_at:
                return instant + move.after
        return instant + (self.moves[0].before if self.moves else self.offset)

    def wall_of(self, instant: datetime) -> datetime:
        """Return the instant of the wall clock from which on this clock showed `instant` or later."""
        for move in reversed(self.moves):
            if instant >= move.moved_at + move.after:
                return instant - move.after
            if instant >= move.moved_at + move.before:
                return move.moved_at
        return instant - (self.moves[0].before if self.moves else self.offset)


WALL = OrgClock()  # of an organisation whose clock nobody has moved


# Asking the system for chance takes longer than all the rest of an id: it is asked for many at once.
DRAWN_AT_ONCE = 512
_random_buffer = bytearray()
os.register_at_fork(after_in_child=_random_buffer.clear)


def new_uuid7() -> UUID:
    """Return a random id that grows with time (UUIDv7, RFC 9562, 5.7), so rows written together are stored together."""
    milliseconds = time.time_ns() // 1_000_000
    if len(_random_buffer) < 10:
        _random_buffer.extend(os.urandom(10 * DRAWN_AT_ONCE))
    chance = int.from_bytes(_random_buffer[-10:], "big")
    del _random_buffer[-10:]
    high = chance >> 68  # 12 bits
    low = chance & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)

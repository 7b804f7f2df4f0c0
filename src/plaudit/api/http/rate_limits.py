"""Rate limits: how many requests an organisation, or an API key, may still make. All processes share them.

Each process reserves a small part of a window's requests at a time, so most requests need no query. Never more requests
are accepted than the window has; a few reserved ones may stay unused.
"""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from plaudit import clock
from plaudit.errors import RateLimited
from plaudit.storage.postgres import Pool
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

HOUR = 3_600
BLOCK_DIVISOR = 50  # a process takes this part of a window at once


class Policy(Struct, frozen=True):
    """A limit of `requests` in each window of `seconds`, for one class of operations."""

    name: str
    requests: int
    seconds: int


# The documents' numbers. 100 actions a second with bursts of 500 are 500 in any 5 seconds.
ADMIN = {"standard": Policy("admin", 1_000, HOUR), "premium": Policy("admin", 10_000, HOUR)}
INGESTION = Policy("ingestion", 500, 5)
AUDIENCE = Policy("audience", 10_000, 60)
MEMBER = Policy("member", 100, 60)
ANONYMOUS = Policy("anybody", 10_000, 60)  # who only names an organisation: all of them together


class _Window:
    """The part of a window that this process has reserved."""

    __slots__ = ("ends_at", "granted", "left", "lock")

    def __init__(self, ends_at: float, left: int) -> None:
        self.ends_at = ends_at
        self.granted = 0
        self.left = left  # what nobody has taken yet, as far as this process knows
        self.lock = asyncio.Lock()


class RateLimits:
    """The windows that this process has reserved requests of."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._windows: dict[tuple[str, str], _Window] = {}

    async def spend(self, policy: Policy, whose: str) -> Mapping[str, str]:
        """Count one request against the window of `whose`. Return the rate limit's headers. Raise RateLimited."""
        now = clock.now().timestamp()
        ends_at = (now // policy.seconds + 1) * policy.seconds
        key = (policy.name, whose)
        window = self._windows.get(key)
        if window is None or window.ends_at != ends_at:
            if len(self._windows) > 10_000:
                self._windows = {window_id: value for window_id, value in self._windows.items() if value.ends_at > now}
            window = self._windows[key] = _Window(ends_at, policy.requests)
        if window.granted == 0:
            async with window.lock:
                if window.granted == 0 and window.left > 0:
                    await self._take(policy, whose, window)
        if window.granted == 0:
            at = datetime.fromtimestamp(ends_at, UTC)
            raise RateLimited(
                f"Rate limit exceeded: {policy.requests:,} requests per {policy.seconds} seconds. Retry after {ends_at - now:.0f} seconds",
                next_at=at,
            )
        window.granted -= 1
        return headers_of(policy, window.left + window.granted, ends_at, now)

    async def standing(self, policy: Policy, whose: str) -> Mapping[str, str]:
        """Return the rate limit's headers for a request that is not counted."""
        now = clock.now().timestamp()
        ends_at = (now // policy.seconds + 1) * policy.seconds
        window = self._windows.get((policy.name, whose))
        if window is not None and window.ends_at == ends_at:
            return headers_of(policy, window.left + window.granted, ends_at, now)
        async with self._pool.acquire() as connection:
            used = await connection.fetchval(_SQL.used, f"{policy.name}:{whose}", datetime.fromtimestamp(ends_at, UTC))
        return headers_of(policy, max(0, policy.requests - (used or 0)), ends_at, now)

    async def _take(self, policy: Policy, whose: str, window: _Window) -> None:
        wanted = max(1, min(policy.requests // BLOCK_DIVISOR, window.left // 10))
        async with self._pool.acquire() as connection:
            used = await connection.fetchval(
                _SQL.take, f"{policy.name}:{whose}", datetime.fromtimestamp(window.ends_at, UTC), wanted
            )
        before = used - wanted
        window.granted = max(0, min(wanted, policy.requests - before))
        window.left = max(0, policy.requests - used)


def headers_of(policy: Policy, remaining: int, ends_at: float, now: float) -> Mapping[str, str]:
    """Return the documented headers, and the IETF's next to them."""
    return {
        "X-RateLimit-Limit": str(policy.requests),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(ends_at)),
        "RateLimit-Policy": f'"{policy.name}";q={policy.requests};w={policy.seconds}',
        "RateLimit": f'"{policy.name}";r={remaining};t={math.ceil(ends_at - now)}',
    }

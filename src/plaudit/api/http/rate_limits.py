"""Rate limits: how many requests an organisation, a member or an API key may make. All processes share them.

Each process reserves a small part of a window's requests at a time, so most requests need no query. A window never
accepts more requests than its limit; a few reserved ones may stay unused.
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
BLOCK_DIVISOR = 50  # a process reserves at most this part of a window at a time


class Policy(Struct, frozen=True):
    """A limit of `requests` in each window of `seconds`, for one class of operations."""

    name: str
    requests: int
    seconds: int


# The limits in the reference documents. 100 actions a second with bursts of 500 become 500 in 5 seconds.
ADMIN = {"standard": Policy("admin", 1_000, HOUR), "premium": Policy("admin", 10_000, HOUR)}
INGESTION = Policy("ingestion", 500, 5)
AUDIENCE = Policy("audience", 10_000, 60)
MEMBER = Policy("member", 100, 60)
ANONYMOUS = Policy("anybody", 10_000, 60)  # callers who only name an organisation share one window


class _Window:
    """The part of a window that this process has reserved."""

    __slots__ = ("ends_at", "granted", "left", "lock")

    def __init__(self, ends_at: float, left: int) -> None:
        self.ends_at = ends_at
        self.granted = 0
        self.left = left  # requests that no process has reserved, as far as this one knows
        self.lock = asyncio.Lock()


class RateLimits:
    """The windows from which this process has reserved requests."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._windows: dict[tuple[str, str], _Window] = {}

    async def spend(self, policy: Policy, owner: str) -> Mapping[str, str]:
        """Count one request against the window of `owner`. Return the rate limit's headers. Raise RateLimited."""
        now = clock.now().timestamp()
        ends_at = (now // policy.seconds + 1) * policy.seconds
        key = (policy.name, owner)
        window = self._windows.get(key)
        if window is None or window.ends_at != ends_at:
            if len(self._windows) > 10_000:
                self._windows = {window_id: value for window_id, value in self._windows.items() if value.ends_at > now}
            window = self._windows[key] = _Window(ends_at, policy.requests)
        if window.granted == 0:
            async with window.lock:
                if window.granted == 0 and window.left > 0:
                    await self._reserve(policy, owner, window)
        if window.granted == 0:
            at = datetime.fromtimestamp(ends_at, UTC)
            raise RateLimited(
                f"Rate limit exceeded: {policy.requests:,} requests per {policy.seconds} seconds. Retry after {ends_at - now:.0f} seconds",
                next_at=at,
            )
        window.granted -= 1
        return headers_of(policy, window.left + window.granted, ends_at, now)

    async def standing(self, policy: Policy, owner: str) -> Mapping[str, str]:
        """Return the rate limit's headers for a request that is not counted."""
        now = clock.now().timestamp()
        ends_at = (now // policy.seconds + 1) * policy.seconds
        window = self._windows.get((policy.name, owner))
        if window is not None and window.ends_at == ends_at:
            return headers_of(policy, window.left + window.granted, ends_at, now)
        async with self._pool.acquire() as connection:
            used = await connection.fetchval(_SQL.used, f"{policy.name}:{owner}", datetime.fromtimestamp(ends_at, UTC))
        return headers_of(policy, max(0, policy.requests - (used or 0)), ends_at, now)

    async def _reserve(self, policy: Policy, owner: str, window: _Window) -> None:
        requests = max(1, min(policy.requests // BLOCK_DIVISOR, window.left // 10))
        async with self._pool.acquire() as connection:
            used = await connection.fetchval(
                _SQL.take, f"{policy.name}:{owner}", datetime.fromtimestamp(window.ends_at, UTC), requests
            )
        used_before = used - requests
        window.granted = max(0, min(requests, policy.requests - used_before))
        window.left = max(0, policy.requests - used)


def headers_of(policy: Policy, remaining: int, ends_at: float, now: float) -> Mapping[str, str]:
    """Return the headers of the reference documents and those of the IETF draft."""
    return {
        "X-RateLimit-Limit": str(policy.requests),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(ends_at)),
        "RateLimit-Policy": f'"{policy.name}";q={policy.requests};w={policy.seconds}',
        "RateLimit": f'"{policy.name}";r={remaining};t={math.ceil(ends_at - now)}',
    }

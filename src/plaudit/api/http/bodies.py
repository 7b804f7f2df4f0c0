"""Request bodies, with a time limit: a client that sends a byte now and then cannot hold a connection forever.

The time that a body may take depends on the bytes received so far, not on its maximum size. Otherwise one byte a second
would be accepted for as long as the largest body may take.
"""

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any

from litestar import Request

from plaudit.errors import TooSlow

GRACE_SECONDS = 30.0
BYTES_A_SECOND = 1 << 14  # no real connection is slower


async def body_of(request: Request[Any, Any, Any]) -> bytes:
    """Return a request's body. Raise TooSlow if it arrives too slowly."""
    started = asyncio.get_running_loop().time()
    parts: list[bytes] = []
    received = 0
    try:
        async with asyncio.timeout_at(started + _seconds_allowed(0)) as limit:
            async for part in request.stream():
                if part:
                    parts.append(part)
                    received += len(part)
                    limit.reschedule(started + _seconds_allowed(received))
    except TimeoutError:
        raise _too_slow(_seconds_allowed(received), received) from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def paced(parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the parts of a body as they arrive. Raise TooSlow if they arrive too slowly.

    Only the time spent waiting for the client counts, not the time that the caller needs for each part.
    """
    waited, received = 0.0, 0
    while True:
        started = monotonic()
        try:
            async with asyncio.timeout(_seconds_allowed(received) - waited):
                part = await anext(parts, None)
        except TimeoutError:
            raise _too_slow(waited + monotonic() - started, received) from None
        if part is None:
            return
        waited += monotonic() - started
        received += len(part)
        yield part


def _seconds_allowed(received: int) -> float:
    return GRACE_SECONDS + received / BYTES_A_SECOND


def _too_slow(seconds: float, received: int) -> TooSlow:
    return TooSlow(
        f"The body must arrive within {GRACE_SECONDS:g} seconds, plus one for each {BYTES_A_SECOND} bytes "
        f"(got {received} bytes and no end in {seconds:.0f} seconds)"
    )

"""The bodies of requests, which have to come: one who sends a byte now and then does not keep a place for ever.

What a body may take follows from what has come of it, never from what it may have: else one byte a second would do for
as long as the largest body takes.
"""

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any

from litestar import Request

from plaudit.errors import TooSlow

GRACE_SECONDS = 30.0
BYTES_A_SECOND = 1 << 14  # slower than this is no line that anybody has


async def body_of(request: Request[Any, Any, Any]) -> bytes:
    """Return the body of a request. Raises TooSlow for one that is slower than a body may be."""
    started = asyncio.get_running_loop().time()
    parts: list[bytes] = []
    come = 0
    try:
        async with asyncio.timeout_at(started + _seconds_for(0)) as limit:
            async for part in request.stream():
                if part:
                    parts.append(part)
                    come += len(part)
                    limit.reschedule(started + _seconds_for(come))
    except TimeoutError:
        raise _too_slow(_seconds_for(come), come) from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def paced(parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the parts of a body, as they come. Raises TooSlow for one that is slower than a body may be.

    Only what is spent on waiting for it counts: what is done with the parts may take its time.
    """
    waited, come = 0.0, 0
    while True:
        started = monotonic()
        try:
            async with asyncio.timeout(_seconds_for(come) - waited):
                part = await anext(parts, None)
        except TimeoutError:
            raise _too_slow(waited + monotonic() - started, come) from None
        if part is None:
            return
        waited += monotonic() - started
        come += len(part)
        yield part


def _seconds_for(come: int) -> float:
    return GRACE_SECONDS + come / BYTES_A_SECOND


def _too_slow(seconds: float, come: int) -> TooSlow:
    return TooSlow(
        f"The body must come within {GRACE_SECONDS:g} seconds, and one more for each {BYTES_A_SECOND} bytes of it "
        f"(got {come} bytes and no end in {seconds:.0f} seconds)"
    )

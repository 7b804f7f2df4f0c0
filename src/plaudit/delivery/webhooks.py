"""One attempt at one webhook: never into a private network unless the server allows it, never along a redirect."""

import asyncio
from time import perf_counter

import httpcore
from msgspec import Struct

from plaudit.connections import ForbiddenAddressError, guarded_pool

ATTEMPT_SECONDS = 15.0
ANSWER_BYTES_MAX = 1 << 16


class Attempt(Struct, frozen=True):
    """What came of an attempt: the answer's `status` if there was one, else the `error`; `final` when no other will do better."""

    status: int | None
    error: str | None
    milliseconds: int
    final: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the message has arrived: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Sender:
    """The connections to webhooks. `private` allows targets in private networks."""

    def __init__(self, *, private: bool) -> None:
        self._pool = guarded_pool(private=private)

    async def attempt(self, url: str, headers: dict[str, str], body: bytes) -> Attempt:
        """POST a body. A redirect is an answer like any other: not 2xx."""
        started = perf_counter()
        status, error = None, None
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                async with self._pool.stream("POST", url, headers=list(headers.items()), content=body) as response:
                    status = response.status
                    read = 0
                    async for part in response.aiter_stream():  # let the connection be used again, within reason
                        read += len(part)
                        if read > ANSWER_BYTES_MAX:
                            break
            if not 200 <= status < 300:
                error = f"answered {status}" + (" (redirects are not followed)" if 300 <= status < 400 else "")
        except ForbiddenAddressError:
            error = "the address is in a private network, which this server does not allow"
        except TimeoutError:
            status, error = None, f"no answer within {ATTEMPT_SECONDS:g} seconds"
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as problem:
            error = f"{type(problem).__name__}: {problem}"[:500]
        except httpcore.UnsupportedProtocol:
            error = "the address is not of http or https"
        return Attempt(status, error, round((perf_counter() - started) * 1000))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._pool.aclose()

"""Send one message to one webhook: without redirects, and to private networks only if the server allows it."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import perf_counter

import structlog
from msgspec import Struct

from plaudit import clock
from plaudit.net import ForbiddenAddressError, public_only_pool

from .addresses import as_sent

ATTEMPT_SECONDS = 15.0
RESPONSE_BYTES_MAX = 1 << 16
ERROR_MAX = 500
GONE = 410
BUSY = (429, 503)
RETRY_AFTER_SECONDS_MAX = 4 * 3_600.0

log = structlog.get_logger(__name__)


class Attempt(Struct, frozen=True):
    """The result of an attempt: the response's `status`, if it responded, and the `error` unless it was delivered.

    `final`: retrying is pointless. `gone`: the webhook says that it no longer exists. `retry_after`: the seconds that it
    asks to wait before the next call.
    """

    status: int | None
    error: str | None
    milliseconds: int
    final: bool = False
    gone: bool = False
    retry_after: float = 0

    @property
    def succeeded(self) -> bool:
        """Return whether the message was delivered: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


class WebhookClient:
    """The connections to webhooks. `private` allows targets in private networks."""

    def __init__(self, *, private: bool) -> None:
        self._pool = public_only_pool(private=private)

    async def attempt(self, url: str, headers: dict[str, str], body: bytes) -> Attempt:
        """POST a body and return the result, even of a failure. A redirect is a failure.

        Only the status counts, even if the response's body never ends or breaks off.
        """
        started = perf_counter()
        status, error, retry_after = None, None, 0.0
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                sent = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
                async with self._pool.stream("POST", as_sent(url).encode(), headers=sent, content=body) as response:
                    status = response.status
                    if status in BUSY:
                        retry_after = _retry_after(response.headers)
                    read = 0
                    async for part in response.aiter_stream():  # reading a short body allows reuse of the connection
                        read += len(part)
                        if read > RESPONSE_BYTES_MAX:
                            break
        except ForbiddenAddressError:
            error = "the address is in a private network, which this server does not allow"
        except TimeoutError:
            error = f"no response within {ATTEMPT_SECONDS:g} seconds"
        except BaseException as problem:
            error = error_of(problem)
        if status is not None:
            redirected = " (redirects are not followed)" if 300 <= status < 400 else ""
            error = None if 200 <= status < 300 else f"HTTP {status}{redirected}"
        milliseconds = round((perf_counter() - started) * 1000)
        gone = status == GONE
        return Attempt(status, error, milliseconds, final=gone, gone=gone, retry_after=retry_after)

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def error_of(problem: BaseException) -> str:
    """Return the error text to store for an exception. Re-raise exceptions that should end the task or the process."""
    if isinstance(problem, asyncio.CancelledError | KeyboardInterrupt | SystemExit | GeneratorExit):
        raise problem
    if not isinstance(problem, Exception):  # a library's, such as a panic in native code
        log.error("delivery_raised", error=type(problem).__name__)
    text = f"{type(problem).__name__}: {problem}"
    return "".join(name if name.isprintable() else "?" for name in text[:ERROR_MAX])


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float:
    """Return the seconds in a response's Retry-After, which is a number or a date (RFC 9110, 10.2.3), bounded."""
    text = next((value.decode("latin-1").strip() for name, value in headers if name.lower() == b"retry-after"), "")
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), RETRY_AFTER_SECONDS_MAX)
    try:
        at: datetime = parsedate_to_datetime(text)
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - clock.now()).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)

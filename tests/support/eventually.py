"""Wait for what another thread, process or server does, up to one generous deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar, cast

T = TypeVar("T")
Errors = type[Exception] | tuple[type[Exception], ...]

DEADLINE_SECONDS = 300.0  # what is not so by then never will be, however busy the machine is
FIRST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.1

ANYTHING_TRUE = object()


def eventually(
    read: Callable[[], T],
    expected: object = ANYTHING_TRUE,
    *,
    seconds: float = DEADLINE_SECONDS,
    despite: Errors = (),
    show: Callable[[], object] | None = None,
) -> T:
    """Call `read` until it returns the expected value, or any true one, and return that.

    What it raises is raised, unless it is one of the errors in `despite`, which mean "not yet". The error at the
    deadline says what was seen last, and what `show` returns. Pass `seconds` only where the test claims a time.
    """
    wait = _Wait(expected, seconds, show)
    while True:
        try:
            value = read()
        except despite as error:
            last: object = error
        else:
            if wait.is_over_with(value):
                return value
            last = value
        time.sleep(wait.pause_after(last))


async def eventually_async(
    read: Callable[[], T | Awaitable[T]],
    expected: object = ANYTHING_TRUE,
    *,
    seconds: float = DEADLINE_SECONDS,
    despite: Errors = (),
    show: Callable[[], object] | None = None,
) -> T:
    """As `eventually`, while other tasks of the loop run; `read` may be a coroutine function."""
    wait = _Wait(expected, seconds, show)
    while True:
        try:
            result = read()
            value = await _awaited(result)
        except despite as error:
            last: object = error
        else:
            if wait.is_over_with(value):
                return value
            last = value
        await asyncio.sleep(wait.pause_after(last))


async def _awaited(result: T | Awaitable[T]) -> T:
    return await cast("Awaitable[T]", result) if isawaitable(result) else cast("T", result)


class _Wait:
    """The pauses between two calls, which grow, until the deadline."""

    def __init__(self, expected: object, seconds: float, show: Callable[[], object] | None) -> None:
        self._expected = expected
        self._seconds = seconds
        self._show = show
        self._deadline = time.monotonic() + seconds
        self._pause = FIRST_PAUSE_SECONDS

    def is_over_with(self, value: object) -> bool:
        return bool(value) if self._expected is ANYTHING_TRUE else value == self._expected

    def pause_after(self, last: object) -> float:
        if time.monotonic() >= self._deadline:
            expected = "true" if self._expected is ANYTHING_TRUE else repr(self._expected)
            shown = "" if self._show is None else f"\n{self._show()}"
            raise AssertionError(f"not {expected} within {self._seconds:g} seconds: last seen was {last!r}{shown}")
        self._pause, pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS), self._pause
        return pause

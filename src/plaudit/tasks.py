"""Run and cancel related tasks together."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def run_together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run coroutines that never end, until cancelled. If one raises, cancel the others and raise its error.

    Each is cancelled only once. asyncio.gather would cancel the others again when the first one has ended, which could
    interrupt them while they return a connection to its pool.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        await cancel(tasks)


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until all have ended. Ignore their exceptions."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)

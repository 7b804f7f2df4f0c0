"""Run and cancel tasks that belong together."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def run_together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run coroutines that never end, until this is cancelled. If one raises, end the others and raise its error.

    Each is cancelled once. (asyncio.gather would cancel them again as soon as the first has ended: those that are still
    giving back a connection would leave it half given back.)
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        await cancel(tasks)


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until each has ended. Ignore what they raise."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)

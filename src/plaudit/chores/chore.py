"""The form of all background jobs: a name, an interval and a bounded pass.

    chore ──► waits for a slot ──► run_once() ──► True: runs again as soon as it gets a slot
                                        │
                                        ├──► False: runs again after `every_seconds`
                                        └──► raises: is logged and counted, and retried less and less often

Each chore is its own task with its own back-off, so one that raises, waits for a lock or takes an hour does not stop the
others. A slot stands for the connections that a pass can use, so chores cannot exhaust the pool.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from plaudit import telemetry
from plaudit.storage.postgres import run_forever
from plaudit.tasks import run_together

BACK_OFF_SECONDS_MAX = 60.0  # a chore with a longer interval backs off up to its interval, at most ten minutes
STAGGER_SECONDS = 0.1  # between the first passes of two chores, so that short passes can share a connection


class Chore(Struct, frozen=True):
    """A background job. `run_once` is one bounded pass; it returns True if there is more to do right now."""

    name: str
    every_seconds: float
    run_once: Callable[[], Awaitable[bool]]
    back_off_max: float = BACK_OFF_SECONDS_MAX  # lower for chores that renew a lease, which would expire meanwhile


class StatementTimeoutError(Exception):
    """A statement took too long, for example behind a lock. The database itself is reachable."""


async def run_chores(chores: Sequence[Chore], *, at_once: int | None = None) -> None:
    """Run chores until cancelled, each as its own task, with at most `at_once` passes at the same time.

    No pass is still running when this returns or raises.
    """
    slots = asyncio.Semaphore(at_once or len(chores))
    await run_together(*(_run(chore, slots, number * STAGGER_SECONDS) for number, chore in enumerate(chores)))


async def _run(chore: Chore, slots: asyncio.Semaphore, after_seconds: float) -> None:
    async def run_passes() -> None:
        more = True
        while more:
            async with slots:
                more = await _run_pass(chore)

    await asyncio.sleep(after_seconds)
    await run_forever(chore.name, run_passes, every=chore.every_seconds, trouble_max=chore.back_off_max)


async def _run_pass(chore: Chore) -> bool:
    with telemetry.chore_seconds.labels(chore.name).time():
        try:
            return await chore.run_once()
        except TimeoutError as error:  # it would count as an unreachable database, and be retried immediately
            raise StatementTimeoutError(f"a statement of {chore.name} took too long") from error

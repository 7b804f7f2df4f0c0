"""Inform every process, within a second, of events and documents that have stopped other processes."""

from plaudit.storage.postgres import Pool
from plaudit.storage.suspects import learn

from .chore import Chore

EVERY_SECONDS = 1.0


def learn_suspects(pool: Pool) -> Chore:
    """Return the chore that loads all suspects into this process."""

    async def run_once() -> bool:
        async with pool.acquire() as connection:
            await learn(connection)
        return False

    return Chore("learn_suspects", EVERY_SECONDS, run_once)

"""The chores of a worker."""

from functools import partial

from plaudit import clock
from plaudit.engine.worker import CHORE_CONNECTIONS
from plaudit.storage import code_pools
from plaudit.storage.months import ensure_months
from plaudit.storage.postgres import Pool
from plaudit.storage.programmes import Programmes

from . import complete_documents, fill_segments, rollbacks, settle_competitions, settle_leagues
from .chore import Chore, run_chores
from .retention import clear

POLL_SECONDS = 1.0
PARTITIONS_SECONDS = 6 * 3_600.0
RETENTION_SECONDS = 600.0
# Enough for one that takes an hour (moving a month's rows), one that waits for a lock, and one more. Each can need a
# second connection while it holds one, to load a changed programme or to decide an event inline.
AT_ONCE = CHORE_CONNECTIONS // 2


async def run_chores_of_worker(pool: Pool, programmes: Programmes) -> None:
    """Run the chores of a worker until cancelled."""
    await run_chores(chores_of_worker(pool, programmes), at_once=AT_ONCE)


def chores_of_worker(pool: Pool, programmes: Programmes) -> list[Chore]:
    """Return the chores of a worker. Several workers may run them at the same time."""
    rollback_jobs = rollbacks.Rollbacks(pool, programmes)
    return [
        Chore("partitions", PARTITIONS_SECONDS, partial(_create_partitions, pool)),
        Chore(fill_segments.CHORE, POLL_SECONDS, partial(fill_segments.fill_next_bucket, pool, programmes)),
        Chore(settle_competitions.CHORE, POLL_SECONDS, partial(_settle_competitions, pool, programmes)),
        Chore(settle_leagues.CHORE, POLL_SECONDS, partial(_settle_leagues, pool, programmes)),
        Chore(complete_documents.CHORE, POLL_SECONDS, partial(_complete_documents, pool)),
        Chore(rollbacks.CHORE, POLL_SECONDS, rollback_jobs.continue_once),
        Chore("expire_codes", POLL_SECONDS, partial(_expire_codes, pool)),
        Chore("retention", RETENTION_SECONDS, partial(_delete_old_rows, pool)),
    ]


async def _create_partitions(pool: Pool) -> bool:
    async with pool.acquire() as connection:
        await ensure_months(connection, clock.now().date())
    return False


async def _settle_competitions(pool: Pool, programmes: Programmes) -> bool:
    await settle_competitions.settle_competitions(pool, programmes)
    return False


async def _settle_leagues(pool: Pool, programmes: Programmes) -> bool:
    async with pool.acquire() as connection:
        await settle_leagues.settle_rounds(connection, programmes)
    return False


async def _complete_documents(pool: Pool) -> bool:
    await complete_documents.complete_documents(pool)
    return False


async def _expire_codes(pool: Pool) -> bool:
    async with pool.acquire() as connection:
        await code_pools.expire_due(connection)
    return False


async def _delete_old_rows(pool: Pool) -> bool:
    await clear(pool, clock.now())
    return False

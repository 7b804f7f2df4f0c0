"""Run a worker as a separate process."""

import asyncio
import signal

from plaudit.guard import in_hand
from plaudit.runtime import set_niceness, tune_gc
from plaudit.storage.postgres import create_pool
from plaudit.storage.programmes import Programmes
from plaudit.tasks import cancel

from .aftermath import recover_from_predecessor
from .worker import POOL_SIZE, RunChores, Worker


async def run_worker(url: str, lease_seconds: float, nice: int, run_chores: RunChores) -> None:
    """Work until SIGTERM or SIGINT, and run the chores meanwhile."""
    set_niceness(nice)
    pool = await create_pool(url, size=POOL_SIZE, by_key=True)
    programmes = Programmes(pool, url)
    worker = Worker(pool, url, programmes, lease_seconds=lease_seconds, run_chores=run_chores)
    loop = asyncio.get_running_loop()
    tune_gc()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    await recover_from_predecessor(pool)
    listening = asyncio.create_task(programmes.listen())
    in_hand.is_ready()
    try:
        await worker.run()
    finally:
        await cancel([listening])
        await pool.close()

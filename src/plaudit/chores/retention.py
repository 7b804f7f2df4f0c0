"""Delete expired rows from the tables that would otherwise grow forever.

Each statement deletes a small batch, found by a key or an index, in its own transaction, so no request waits for it.
Several workers may run it at the same time.
"""

from datetime import datetime, timedelta

from plaudit.storage.postgres import Pool
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

BATCH_ROWS = 1_000
JOBS_DAYS = 30

# How long each statement keeps a row after it has expired.
_RETENTION = {
    _SQL.clear_idempotency_keys: timedelta(hours=24),
    _SQL.clear_importing_members: timedelta(days=1),
    _SQL.clear_job_errors: timedelta(days=JOBS_DAYS),
    _SQL.clear_jobs: timedelta(days=JOBS_DAYS),
    _SQL.clear_signing_keys: timedelta(days=1),
    _SQL.clear_watches: timedelta(days=1),
}
_WINDOW_RETENTION = timedelta(hours=1)  # longer than the clocks of two processes can differ


async def clear(pool: Pool, now: datetime) -> int:
    """Delete the rows that have expired by `now`. Return their number, not counting rate windows."""
    deleted = 0
    for statement, retention in _RETENTION.items():
        rows = BATCH_ROWS
        while rows == BATCH_ROWS:
            async with pool.acquire() as connection:
                status = await connection.execute(statement, now - retention, BATCH_ROWS)
            rows = int(status.rpartition(" ")[2])
            deleted += rows
    await _clear_windows(pool, now - _WINDOW_RETENTION)
    return deleted


async def _clear_windows(pool: Pool, ended_before: datetime) -> None:
    last, rows = "", BATCH_ROWS
    while rows == BATCH_ROWS:
        async with pool.acquire() as connection:
            row = await connection.fetchrow(_SQL.clear_rate_windows, ended_before, BATCH_ROWS, last)
        assert row is not None
        last, rows = row["last"], row["rows"]

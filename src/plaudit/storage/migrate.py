"""Bring a database up to this version of the schema, and say whether it is."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from .postgres import Connection, connect

# The tables that are kept by month, and the months that are there before they are needed.
MONTHLY = ("events", "transactions")
MONTHS_AHEAD = 3

# Any number will do, as long as nobody else takes it: two servers starting at once migrate one after the other.
_MIGRATION_LOCK = 7_152_834_800_139_551


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def migrate(url: str) -> None:
    """Run the migrations that the database lacks, and make the months to come."""
    lock = await connect(url)
    try:
        await lock.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
        engine = create_async_engine(
            "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=NullPool
        )
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
            await connection.commit()
        await engine.dispose()
        await ensure_months(lock, datetime.now(UTC).date())
    finally:
        await lock.close()


def _upgrade(connection: SyncConnection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def run_sql(migration_file: str) -> None:
    """Execute the `.sql` file beside a migration."""
    sql = Path(migration_file).with_suffix(".sql").read_text(encoding="utf-8")
    driver: Any = op.get_bind().connection.dbapi_connection
    driver.run_async(_executing(sql))


def _executing(sql: str) -> Callable[[Connection], Awaitable[str]]:
    return lambda connection: connection.execute(sql)


async def is_migrated(connection: Connection) -> bool:
    """Whether the database's schema is the one that this version was written for."""
    try:
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return False
    return found == ScriptDirectory.from_config(_config()).get_current_head()


async def ensure_months(connection: Connection, today: date) -> None:
    """Make the partitions of this month and of those to come, as far as they are missing."""
    first = today.replace(day=1)
    for _ in range(MONTHS_AHEAD + 1):
        following = (
            (first.replace(year=first.year + 1, month=1)) if first.month == 12 else first.replace(month=first.month + 1)
        )
        for table in MONTHLY:
            name = f"{table}_{first:%Y_%m}"
            # Names and dates are ours; a partition's bounds cannot be parameters.
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} "
                f"FOR VALUES FROM ('{first} 00:00+00') TO ('{following} 00:00+00')"
            )
            await connection.execute(f"COMMENT ON TABLE {name} IS 'The {first:%Y-%m} of {table}.'")
        first = following

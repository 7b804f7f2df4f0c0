"""Bring a database up to this version of the schema. Who only uses it needs `schema`, which takes less memory."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command, op
from alembic.config import Config
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from .postgres import Connection, connect
from .schema import MIGRATIONS, ensure_months

# Any number will do, as long as nobody else takes it: two servers starting at once migrate one after the other.
_MIGRATION_LOCK = 7_152_834_800_139_551


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
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

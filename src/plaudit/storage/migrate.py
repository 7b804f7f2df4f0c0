"""Migrate a database to this version's schema. Processes that do not migrate import `schema`, which needs less memory."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import structlog
from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from plaudit import clock
from plaudit.errors import PlauditError

from .months import MonthsNotMadeError, ensure_months
from .postgres import Connection, connect
from .schema import MIGRATIONS, revision_of

log = structlog.get_logger(__name__)

# Makes two servers that start at the same time migrate one after the other. Any otherwise unused number will do.
_MIGRATION_LOCK = 7_152_834_800_139_551


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


class DatabaseNewerError(PlauditError):
    """The database's schema is newer than this version, which would misread it."""

    code = "database_newer"


class MigrationFailedError(PlauditError):
    """A migration failed and was rolled back. Those before it stay applied."""

    code = "migration_failed"


async def pending(url: str) -> list[tuple[str, str]]:
    """Return the missing migrations, oldest first, with their descriptions.

    Raise DatabaseNewerError.
    """
    connection = await connect(url)
    try:
        return await _pending(connection)
    finally:
        await connection.close()


async def _pending(connection: Connection) -> list[tuple[str, str]]:
    current = await revision_of(connection)
    newest_first = list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())
    known = [script.revision for script in newest_first]
    if current is not None and current not in known:
        raise DatabaseNewerError(
            f"the database must be of version {known[0]} or earlier (got {current}): run the version of Plaudit that migrated it"
        )
    lacking = newest_first[: known.index(current)] if current is not None else newest_first
    return [(script.revision, script.doc) for script in reversed(lacking)]


async def migrate(url: str) -> None:
    """Run the missing migrations, and create the partitions of the coming months.

    Raise DatabaseNewerError or MigrationFailedError.
    """
    lock = await connect(url)
    try:
        await lock.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
        lacking = await _pending(lock)
        if await revision_of(lock) is None:
            log.info("creating_schema", revision=lacking[-1][0])
        else:
            for revision, sentence in lacking:
                log.info("migrating", revision=revision, what=sentence)
        try:
            await _migrate(url)
        except asyncpg.PostgresError as error:
            raise MigrationFailedError(f"a migration failed and was rolled back: {error}") from error
        try:
            await ensure_months(lock, clock.now().date())
        except MonthsNotMadeError as error:  # workers try again, and /readyz reports it meanwhile
            log.warning("months_not_made", error=error.message)
    finally:
        await lock.close()


async def _migrate(url: str) -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
            await connection.commit()
    finally:
        await engine.dispose()


def _upgrade(connection: SyncConnection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def run_sql(migration_file: str) -> None:
    """Execute the `.sql` file next to a migration."""
    sql = Path(migration_file).with_suffix(".sql").read_text(encoding="utf-8")
    driver: Any = op.get_bind().connection.dbapi_connection
    driver.run_async(_executing(sql))


def _executing(sql: str) -> Callable[[Connection], Awaitable[str]]:
    return lambda connection: connection.execute(sql)

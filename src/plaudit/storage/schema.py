"""The version of the database's schema."""

from pathlib import Path

import asyncpg

from .postgres import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
# The newest migration. Files of migrations begin with their revision, which is a time.
REVISION = "_".join(max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).split("_")[:2])


async def is_migrated(connection: Connection) -> bool:
    """Return whether the database has this version's schema."""
    return await revision_of(connection) == REVISION


async def revision_of(connection: Connection) -> str | None:
    """Return the database's last migration, or None."""
    try:
        return await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None

"""What whoever uses the schema must know of it: whether it is this version's."""

from pathlib import Path

import asyncpg

from .postgres import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
# The newest migration; their files are named by their revisions, which are times.
REVISION = "_".join(max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).split("_")[:2])


async def is_migrated(connection: Connection) -> bool:
    """Whether the database's schema is the one that this version was written for."""
    return await revision_of(connection) == REVISION


async def revision_of(connection: Connection) -> str | None:
    """The last migration that the database has had; None before the first."""
    try:
        return await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None

"""What whoever uses the schema must know of it: whether it is this version's, and that the months to come are there."""

from datetime import date
from pathlib import Path

import asyncpg

from .postgres import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
# The newest migration; their files are named by their revisions, which are times.
REVISION = "_".join(max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).split("_")[:2])

# The tables that are kept by month, and the months that are there before they are needed.
MONTHLY = ("events", "transactions")
MONTHS_AHEAD = 3


async def is_migrated(connection: Connection) -> bool:
    """Whether the database's schema is the one that this version was written for."""
    try:
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return False
    return found == REVISION


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

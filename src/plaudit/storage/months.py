"""Create the monthly partitions of tables before they are needed.

A row whose month has no partition goes to the table's default partition, `…_rest`. That happens if a partition could
not be created in time, or with a wrong clock. PostgreSQL refuses to create a partition while the default partition has
rows of its month. So a new partition takes over its rows:

    few rows      create the new table, move the rows into it, and attach it as a partition
    many rows     attach the default partition itself as a partition for the months of its rows, and create a new one

Each partition is created in its own transaction: rows stay visible throughout, and a failure affects no other month.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from functools import partial

import asyncpg
from msgspec import Struct

from plaudit.errors import PlauditError

from .postgres import UNREACHABLE, Connection, atomic
from .queries import queries_beside

_SQL = queries_beside(__file__)

# The tables that are partitioned by month, with the column that decides the month.
MONTHLY = {"events": "decided_at", "transactions": "created_at"}
MONTHS_AHEAD = 3  # partitions that are created before they are needed

ROWS_MOVED_MAX = 200_000  # a few seconds' work; if there are more rows, their table becomes the partition
LOCK_SECONDS = 2  # while we wait for a lock, other transactions wait behind us
WORK_SECONDS_MAX = 3_600

_OUTSIDE = {"events": _SQL.events_outside, "transactions": _SQL.transactions_outside}


class MonthsNotMadeError(PlauditError):
    """Some monthly partitions could not be created. The message has the reason for each; all others exist."""

    code = "months_not_made"


class Range(Struct, frozen=True, order=True):
    """A range of months, from the first day of a month to the first day of a later one (exclusive)."""

    first: date
    following: date

    def overlaps(self, other: "Range") -> bool:
        """Return whether the ranges have a day in common."""
        return self.first < other.following and other.first < self.following


async def ensure_months(connection: Connection, today: date) -> None:
    """Create the missing partitions: this month, the coming months, and those that the default partition has rows of.

    Try all of them, then raise MonthsNotMadeError if some failed.
    """
    problems: list[str] = []
    for table in MONTHLY:
        outside = await _outside(connection, table)
        covered = await _covered(connection, table)
        if sum(outside.values()) > ROWS_MOVED_MAX:
            span = Range(min(outside), month_of(max(outside)).following)
            adopt = partial(_adopt_rest, connection, table, span)
            if _is_free(span, covered) and await _tried(problems, name_of(table, span), adopt):
                covered.append(span)
        for month in sorted({*months_from(today), *map(month_of, outside)}):
            if _is_free(month, covered):
                await _tried(problems, name_of(table, month), partial(_make, connection, table, month))
    if problems:
        raise MonthsNotMadeError("; ".join(problems))


def _is_free(span: Range, covered: Iterable[Range]) -> bool:
    return not any(span.overlaps(other) for other in covered)


def month_of(day: date) -> Range:
    """Return the month of a day."""
    first = day.replace(day=1)
    later = first.replace(year=first.year + 1, month=1) if first.month == 12 else first.replace(month=first.month + 1)
    return Range(first, later)


def months_from(today: date) -> Iterable[Range]:
    """Return the months to create: the current month and the coming ones."""
    month = month_of(today)
    for _ in range(MONTHS_AHEAD + 1):
        yield month
        month = month_of(month.following)


async def _outside(connection: Connection, table: str) -> Mapping[date, int]:
    """Return how many rows of a table are in its default partition, by month."""
    async with atomic(connection):
        await connection.execute("SET LOCAL statement_timeout = 0")
        rows = await connection.fetch(_OUTSIDE[table], timeout=WORK_SECONDS_MAX)
    return {row["month"].astimezone(UTC).date(): row["rows"] for row in rows}


async def _covered(connection: Connection, table: str) -> list[Range]:
    rows = await connection.fetch(_SQL.partition_ranges, table)
    return [Range(_day(row["first"], date.min), _day(row["following"], date.max)) for row in rows]


def _day(bound: datetime | None, without: date) -> date:
    return without if bound is None else bound.astimezone(UTC).date()


async def _tried(problems: list[str], name: str, make: Callable[[], Awaitable[None]]) -> bool:
    """Create a partition and return True, or record the reason for its failure and return False."""
    try:
        await make()
    except UNREACHABLE:
        raise
    except asyncpg.PostgresError as error:
        problems.append(f"{name} ({error})")
        return False
    return True


async def _make(connection: Connection, table: str, month: Range) -> None:
    """Create a month's partition with its rows from the default partition, unless another process just has."""
    name, rest, column = name_of(table, month), f"{table}_rest", MONTHLY[table]
    within = f"{column} >= '{month.first} 00:00+00' AND {column} < '{month.following} 00:00+00'"
    async with _changing(connection, table, "SHARE UPDATE EXCLUSIVE"):
        if not _is_free(month, await _covered(connection, table)):
            return
        # Names and dates cannot be parameters of these statements. None of them comes from a user.
        await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        await connection.execute(f"COMMENT ON TABLE {name} IS 'The {month.first:%Y-%m} of {table}.'")
        copied = await connection.execute(
            f"INSERT INTO {name} SELECT * FROM {rest} WHERE {within}", timeout=WORK_SECONDS_MAX
        )
        if copied != "INSERT 0 0":
            await connection.execute(f"DELETE FROM {rest} WHERE {within}", timeout=WORK_SECONDS_MAX)
        await _attach(connection, table, name, month)


async def _adopt_rest(connection: Connection, table: str, span: Range) -> None:
    """Attach the default partition as a partition for the months of its rows, and create a new default partition."""
    name, rest = name_of(table, span), f"{table}_rest"
    async with _changing(connection, table, "ACCESS EXCLUSIVE"):
        comment = await connection.fetchval(_SQL.comment_of, rest)
        await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {rest}")
        await connection.execute(f"ALTER TABLE {rest} RENAME TO {name}")
        months = f"{span.first:%Y-%m} and on, up to {span.following}"
        await connection.execute(f"COMMENT ON TABLE {name} IS 'The {months} of {table}.'")
        await connection.execute(f"CREATE TABLE {rest} PARTITION OF {table} DEFAULT")
        await connection.execute(f"COMMENT ON TABLE {rest} IS '{comment}'")
        await _attach(connection, table, name, span)


async def _attach(connection: Connection, table: str, name: str, span: Range) -> None:
    await connection.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name} "
        f"FOR VALUES FROM ('{span.first} 00:00+00') TO ('{span.following} 00:00+00')",
        timeout=WORK_SECONDS_MAX,
    )


def name_of(table: str, span: Range) -> str:
    """Return the name of the partition that begins with a month."""
    return f"{table}_{span.first:%Y_%m}"


@asynccontextmanager
async def _changing(connection: Connection, table: str, mode: str) -> AsyncGenerator[None]:
    """Run one change of a table's partitions. It takes all locks first, in one order, so it cannot deadlock.

    Writes to existing partitions do not wait for it, unless `mode` is ACCESS EXCLUSIVE.
    """
    async with atomic(connection):
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(_SQL.one_at_a_time)
        await connection.execute(f"LOCK TABLE ONLY {table} IN {mode} MODE")
        await connection.execute(f"LOCK TABLE {table}_rest IN ACCESS EXCLUSIVE MODE")
        yield

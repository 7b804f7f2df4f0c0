"""The months of the tables that are kept by month: made before they are needed.

A row without a month goes to the table's rest (the default partition): it was written while months could not be made,
or with a wrong clock. As long as it is there, PostgreSQL refuses to create its month. So a new month takes its rows
out of the rest:

    few rows        the month is made beside the table, takes its rows, and is attached
    very many       the rest itself is attached as the months that its rows are of, and a new rest takes its place

Each month of each table is a transaction of its own: rows are in sight at any time, and one that fails holds up no other.
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

# The tables that are kept by month, with the time that says which, and the months that are there before they are needed.
MONTHLY = {"events": "decided_at", "transactions": "created_at"}
MONTHS_AHEAD = 3

ROWS_MOVED_MAX = 200_000  # more than these are not moved (a few seconds' work): their rest becomes their month
LOCK_SECONDS = 2  # how long others may have to wait behind us while we wait
WORK_SECONDS_MAX = 3_600

_OUTSIDE = {"events": _SQL.events_outside, "transactions": _SQL.transactions_outside}


class MonthsNotMadeError(PlauditError):
    """Some months could not be created, each with its reason; all others were."""

    code = "months_not_made"


class Range(Struct, frozen=True, order=True):
    """From the first day of a month to the first of a later one."""

    first: date
    following: date

    def overlaps(self, other: "Range") -> bool:
        """Return whether the ranges have a day in common."""
        return self.first < other.following and other.first < self.following


async def ensure_months(connection: Connection, today: date) -> None:
    """Create the missing months: this one, those to come, and those that rows were written for.

    Raise MonthsNotMadeError after all have been tried, if some failed.
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
    """Return this month and those created ahead."""
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
    rows = await connection.fetch(_SQL.kept_by_month, table)
    return [Range(_day(row["first"], date.min), _day(row["following"], date.max)) for row in rows]


def _day(bound: datetime | None, without: date) -> date:
    return without if bound is None else bound.astimezone(UTC).date()


async def _tried(problems: list[str], name: str, make: Callable[[], Awaitable[None]]) -> bool:
    """Return whether a month was created. Otherwise the reason is recorded, and the next one is tried."""
    try:
        await make()
    except UNREACHABLE:
        raise
    except asyncpg.PostgresError as error:
        problems.append(f"{name} ({error})")
        return False
    return True


async def _make(connection: Connection, table: str, month: Range) -> None:
    """Create a month with its rows from the default partition, unless another process just has."""
    name, rest, column = name_of(table, month), f"{table}_rest", MONTHLY[table]
    within = f"{column} >= '{month.first} 00:00+00' AND {column} < '{month.following} 00:00+00'"
    async with _changing(connection, table, "SHARE UPDATE EXCLUSIVE"):
        if not _is_free(month, await _covered(connection, table)):
            return
        # Names and dates are ours; neither can be parameters here.
        await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        await connection.execute(f"COMMENT ON TABLE {name} IS 'The {month.first:%Y-%m} of {table}.'")
        copied = await connection.execute(
            f"INSERT INTO {name} SELECT * FROM {rest} WHERE {within}", timeout=WORK_SECONDS_MAX
        )
        if copied != "INSERT 0 0":
            await connection.execute(f"DELETE FROM {rest} WHERE {within}", timeout=WORK_SECONDS_MAX)
        await _attach(connection, table, name, month)


async def _adopt_rest(connection: Connection, table: str, span: Range) -> None:
    """Attach the default partition as the months of its rows, and create a new one. No row is moved."""
    name, rest = name_of(table, span), f"{table}_rest"
    async with _changing(connection, table, "ACCESS EXCLUSIVE"):
        said = await connection.fetchval(_SQL.comment_of, rest)
        await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {rest}")
        await connection.execute(f"ALTER TABLE {rest} RENAME TO {name}")
        months = f"{span.first:%Y-%m} and on, up to {span.following}"
        await connection.execute(f"COMMENT ON TABLE {name} IS 'The {months} of {table}.'")
        await connection.execute(f"CREATE TABLE {rest} PARTITION OF {table} DEFAULT")
        await connection.execute(f"COMMENT ON TABLE {rest} IS '{said}'")
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
    """One change of a table's partitions. All locks are taken at its beginning, in one order, so that none is a knot.

    Who writes to months that there are waits for none of it, as long as `mode` is not ACCESS EXCLUSIVE.
    """
    async with atomic(connection):
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(_SQL.one_at_a_time)
        await connection.execute(f"LOCK TABLE ONLY {table} IN {mode} MODE")
        await connection.execute(f"LOCK TABLE {table}_rest IN ACCESS EXCLUSIVE MODE")
        yield

"""Jobs: long work that was asked for, how far it is, which lines it refused, and whether what it did adds up."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, field

from plaudit import clock
from plaudit.core.metrics import shown
from plaudit.errors import Invalid, PlauditError
from plaudit.storage.postgres import Connection, Pool, atomic
from plaudit.storage.programs import Live
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)

ERRORS_MAX = 10_000  # how many lines' errors a job keeps; all are counted

Json = dict[str, Any]


class Job(Struct, kw_only=True):
    """How far an import is. `given` and `booked` are sums by metric, in smallest units, for the reconciliation."""

    job_id: UUID
    org_id: UUID
    kind: str
    lines: int = 0
    accepted: int = 0
    refused: int = 0
    unchanged: int = 0
    given: dict[str, int] = field(default_factory=dict[str, int])
    booked: dict[str, int] = field(default_factory=dict[str, int])


async def begin(pool: Pool, org_id: UUID, kind: str, by: str, job_id: UUID | None) -> Job:
    """A new job; or the one of that id, to be taken up where it stopped."""
    async with pool.acquire() as connection:
        if job_id is not None:
            row = await connection.fetchrow(SQL.take_up, org_id, job_id, kind, clock.now())
            if row is None:
                raise Invalid("There is no such job of this kind to be taken up", code="job_not_found")
            kept = msgspec.json.decode(row["result"], type=_Result) if row["result"] else _Result()
            return Job(
                job_id=job_id, org_id=org_id, kind=kind, lines=row["lines"], accepted=row["accepted"],
                refused=row["refused"], unchanged=kept.unchanged, given=kept.given, booked=kept.booked,
            )  # fmt: skip
        job = Job(job_id=clock.new_id(), org_id=org_id, kind=kind)
        await connection.execute(SQL.begin, job.job_id, org_id, kind, clock.now(), by)
        return job


class _Result(Struct, frozen=True):
    """What a job keeps beside its columns."""

    unchanged: int = 0
    given: dict[str, int] = {}
    booked: dict[str, int] = {}


async def move(pool: Pool, job: Job, errors: Sequence[tuple[int, PlauditError]]) -> None:
    """Write down how far a job is, with the lines that were refused since."""
    kept = errors[: max(0, ERRORS_MAX - job.refused)]
    job.refused += len(errors)
    result = msgspec.json.encode(_Result(job.unchanged, job.given, job.booked)).decode()
    async with pool.acquire() as connection, atomic(connection):
        if kept:
            fields = [msgspec.json.encode([msgspec.structs.asdict(one) for one in error.fields]) for _, error in kept]
            await connection.execute(
                SQL.add_errors, job.job_id, [number for number, _ in kept], [error.message for _, error in kept],
                [one.decode() for one in fields],
            )  # fmt: skip
        await connection.execute(SQL.move, job.job_id, job.lines, job.accepted, job.refused, clock.now(), result)


async def end(pool: Pool, job: Job, state: str, error: PlauditError | None) -> None:
    """A job is over, one way or the other."""
    async with pool.acquire() as connection:
        if error is not None:
            await connection.execute(SQL.add_errors, job.job_id, [job.lines + 1], [error.message], ["[]"])
        await connection.execute(SQL.end, job.job_id, state, clock.now())


def reconciliation(live: Live, job: Job) -> list[Json]:
    """What the lines said and what the ledger has of it, by metric."""
    metrics = live.program.metrics
    return [
        {
            "metric": metric,
            "given": shown(given, metrics[metric].decimals if metric in metrics else 0),
            "booked": shown(job.booked.get(metric, 0), metrics[metric].decimals if metric in metrics else 0),
            "agrees": given == job.booked.get(metric, 0),
        }
        for metric, given in sorted(job.given.items())
    ]


async def errors_of(connection: Connection, job_id: UUID, after: int, size: int) -> list[Json]:
    """The refused lines of a job."""
    return [dict(row) for row in await connection.fetch(SQL.errors, job_id, after, size)]


async def job_row(connection: Connection, org_id: UUID, job_id: UUID) -> Json | None:
    """A job as it is kept."""
    row = await connection.fetchrow(SQL.one, org_id, job_id)
    return None if row is None else dict(row)


async def job_rows(connection: Connection, org_id: UUID, before: UUID, size: int) -> list[Json]:
    """Jobs as they are kept, newest first, from before one on."""
    return [dict(row) for row in await connection.fetch(SQL.newest, org_id, before, size)]


def job_of(row: Json) -> Job:
    """A job from its row."""
    kept = msgspec.json.decode(row["result"], type=_Result) if row["result"] else _Result()
    names = ("job_id", "org_id", "kind", "lines", "accepted", "refused")
    return Job(**{name: row[name] for name in names}, **msgspec.structs.asdict(kept))

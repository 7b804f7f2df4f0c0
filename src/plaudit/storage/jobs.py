"""Jobs: long-running work, with its progress, the lines it refused, and its reconciliation."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct, field

from plaudit import clock
from plaudit.core.metrics import to_number
from plaudit.errors import Conflict, Invalid, NotFound, PlauditError

from .postgres import UNREACHABLE, Connection, Pool, atomic
from .programmes import Programme
from .queries import queries_beside

_SQL = queries_beside(__file__)
log = structlog.get_logger(__name__)

# After an hour without a line an import is abandoned: its members' timers no longer wait for it. (Also in timers.sql.)
ABANDONED_AFTER = timedelta(hours=1)
ERRORS_MAX = 10_000  # errors stored for each job; all are counted

EVENTS = "events"  # the kind of job that imports past events at their own times
CANCELLED = "cancelled"

Json = dict[str, Any]


class Job(Struct, kw_only=True):
    """An import's progress. `given` (by the file) and `booked` (in the ledger) are sums by metric, in smallest units."""

    job_id: UUID
    org_id: UUID
    kind: str
    lines: int = 0
    accepted: int = 0
    refused: int = 0
    unchanged: int = 0
    given: dict[str, int] = field(default_factory=dict[str, int])
    booked: dict[str, int] = field(default_factory=dict[str, int])


async def start(pool: Pool, org_id: UUID, kind: str, by: str, job_id: UUID | None) -> Job:
    """Return a new job, or the existing one of that id, to be resumed."""
    async with pool.acquire() as connection:
        if job_id is not None:
            row = await connection.fetchrow(_SQL.resume, org_id, job_id, kind, clock.now())
            if row is None:
                raise Invalid("No resumable job of this kind has this id", code="job_not_found")
            result = msgspec.json.decode(row["result"], type=_Result) if row["result"] else _Result()
            return Job(
                job_id=job_id, org_id=org_id, kind=kind, lines=row["lines"], accepted=row["accepted"],
                refused=row["refused"], unchanged=result.unchanged, given=result.given, booked=result.booked,
            )  # fmt: skip
        return Job(job_id=await create(connection, org_id, kind, by), org_id=org_id, kind=kind)


async def create(connection: Connection, org_id: UUID, kind: str, by: str, result: str | None = None) -> UUID:
    """Create a job and return its id. `result` is the part of the job that is stored as JSON."""
    job_id = clock.new_uuid7()
    await connection.execute(_SQL.start, job_id, org_id, kind, clock.now(), by, result)
    return job_id


class _Result(Struct, frozen=True):
    """The part of a job that is stored as JSON."""

    unchanged: int = 0
    given: dict[str, int] = {}
    booked: dict[str, int] = {}


async def save_progress(pool: Pool, job: Job, errors: Sequence[tuple[int, PlauditError]]) -> None:
    """Store a job's progress and the lines refused since then. Raise Conflict if it was cancelled."""
    stored = errors[: max(0, ERRORS_MAX - job.refused)]
    job.refused += len(errors)
    result = msgspec.json.encode(_Result(job.unchanged, job.given, job.booked)).decode()
    async with pool.acquire() as connection, atomic(connection):
        if stored:
            fields = [
                msgspec.json.encode([msgspec.structs.asdict(field) for field in error.fields]) for _, error in stored
            ]
            await connection.execute(
                _SQL.add_errors, job.job_id, [line for line, _ in stored], [error.message for _, error in stored],
                [part.decode() for part in fields],
            )  # fmt: skip
        state = await update(connection, job, result)
    if state == CANCELLED:
        raise Conflict("The job was cancelled; what it had imported by then stays", code="job_cancelled")


async def update(connection: Connection, job: Job, result: str, state: str = "running") -> str:
    """Store a job's progress. Return its state, which differs from `state` if the job was cancelled meanwhile."""
    counts = (job.lines, job.accepted, job.refused)
    return await connection.fetchval(_SQL.save_progress, job.job_id, *counts, clock.now(), result, state)


async def add_error(connection: Connection, job_id: UUID, line: int, message: str) -> None:
    """Store why a line was refused."""
    await connection.execute(_SQL.add_errors, job_id, [line], [message], ["[]"])


async def take_members(connection: Connection, job_id: UUID, members: Iterable[tuple[int, UUID]]) -> None:
    """Record the members (with their buckets) whose history a job imports. Their timers do not run until it ends.

    Timers due before one of their events still run before that event, at their own time.
    """
    buckets, ids = zip(*members, strict=True)
    await connection.execute(_SQL.take_members, buckets, ids, job_id)


async def cancel(pool: Pool, org_id: UUID, job_id: UUID) -> None:
    """Cancel an unfinished job. It stops after the current chunk, and the lines it has imported stay.

    Raise NotFound, or Conflict if it has finished.
    """
    async with pool.acquire() as connection:
        await connection.execute(_SQL.cancel, org_id, job_id, clock.now())
        row = await job_row(connection, org_id, job_id)
    if row is None:
        raise NotFound("Job not found", code="job_not_found")
    if row["state"] != CANCELLED:
        raise Conflict("The job has finished", code="job_finished")


def held_until(job: Job, state: str, moved_at: datetime) -> datetime | None:
    """Return when timers stop waiting for a job that imports no further line, or None if they do not wait."""
    if job.kind != EVENTS or state not in ("running", "failed"):
        return None
    until = moved_at + ABANDONED_AFTER
    return until if until > clock.now() else None


def check_counts(job: Job, records: int) -> None:
    """Raise Conflict unless every one of the file's `records` was accepted, unchanged or refused."""
    counted = job.accepted + job.unchanged + job.refused
    if counted != records:
        raise Conflict(
            f"The file has {records:,} records, but {counted:,} were accepted, unchanged or refused; "
            "send the same file again as a new job",
            code="records_missing",
        )


async def fail(pool: Pool, job: Job, error: Exception) -> None:
    """End a job with an error. Store only the type of an unexpected error: its message may quote personal data."""
    if not isinstance(error, PlauditError):
        error = PlauditError(
            f"A server error interrupted the import ({type(error).__name__}); "
            "resume the job with the same file, or send the file again"
        )
    try:
        await finish(pool, job, "failed", error)
    except UNREACHABLE:
        log.warning("job_not_ended", job_id=str(job.job_id))  # the caller reports the error that ended the job


async def finish(pool: Pool, job: Job, state: str, error: PlauditError | None) -> None:
    """End a job with its final state."""
    async with pool.acquire() as connection:
        if error is not None:
            await add_error(connection, job.job_id, job.lines + 1, error.message)
        await connection.execute(_SQL.finish, job.job_id, state, clock.now())


def reconciliation(programme: Programme, job: Job) -> list[Json]:
    """Return the sums of the file and of the ledger, by metric."""
    metrics = programme.compiled.metrics
    return [
        {
            "metric": metric,
            "given": to_number(amount, metrics[metric].decimals if metric in metrics else 0),
            "booked": to_number(job.booked.get(metric, 0), metrics[metric].decimals if metric in metrics else 0),
            "agrees": amount == job.booked.get(metric, 0),
        }
        for metric, amount in sorted(job.given.items())
    ]


async def errors_of(connection: Connection, job_id: UUID, after: int, size: int) -> list[Json]:
    """Return the refused lines of a job."""
    return [dict(row) for row in await connection.fetch(_SQL.errors, job_id, after, size)]


def error_view(row: Json) -> Json:
    """Return a refused line as the API shows it: its number, the error, and the fields."""
    return {"line": row["line"], "message": row["message"], "details": msgspec.json.decode(row["fields"])}


async def job_row(connection: Connection, org_id: UUID, job_id: UUID) -> Json | None:
    """Return a job's row, or None."""
    row = await connection.fetchrow(_SQL.one, org_id, job_id)
    return None if row is None else dict(row)


async def job_rows(connection: Connection, org_id: UUID, before: UUID, size: int) -> list[Json]:
    """Return the rows of the jobs before one, newest first."""
    return [dict(row) for row in await connection.fetch(_SQL.newest, org_id, before, size)]


def job_of(row: Json) -> Job:
    """Return a job from its row."""
    result = msgspec.json.decode(row["result"], type=_Result) if row["result"] else _Result()
    names = ("job_id", "org_id", "kind", "lines", "accepted", "refused")
    return Job(**{name: row[name] for name in names}, **msgspec.structs.asdict(result))

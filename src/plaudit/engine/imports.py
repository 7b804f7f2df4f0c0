"""Imports: lines of any number, in constant memory, into events; each chunk is one transaction with the job's progress.

    bytes ──lines──► records ──chunks──► process(), with the job moved on in the same transaction

A job that is taken up again goes on after the lines that are done. A line that comes again as it was is no error: its
event is in the log already. So an import can be run as often as one likes.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct, field

from plaudit import clock
from plaudit.core.event import IMPORT, PROFILE
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.core.importing import Import, coupon_id_of
from plaudit.core.metrics import shown
from plaudit.documents.member_record import read_member
from plaudit.documents.profile import written
from plaudit.errors import FieldError, Invalid, PlauditError, invalid_fields
from plaudit.storage.postgres import Connection, Pool, atomic, retried
from plaudit.storage.programs import Live, Programs
from plaudit.storage.queries import queries_beside

from . import codes, inbox
from .arrival import Arrival, Payload, arrival_of
from .lines import Line, records
from .process import process

SQL = queries_beside(__file__)

CHUNK = 1_000
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


# ----------------------------------------------------------------------------------------------------------- jobs


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


async def run_job(
    pool: Pool, programs: Programs, job: Job, parts: AsyncIterable[bytes], *, is_csv: bool
) -> AsyncGenerator[Job]:
    """Work through a stream. Yields the job after each chunk; what was done stays done, whatever happens to the stream."""
    chunk: list[Line] = []
    try:
        async for line in records(parts, is_csv=is_csv):
            if line.number <= job.lines:
                continue
            chunk.append(line)
            if len(chunk) == CHUNK:
                await _do_chunk(pool, programs, job, chunk)
                chunk = []
                yield job
        if chunk:
            await _do_chunk(pool, programs, job, chunk)
    except PlauditError as error:
        await _end(pool, job, "failed", error)
        raise
    await _end(pool, job, "finished", None)
    yield job


async def _end(pool: Pool, job: Job, state: str, error: PlauditError | None) -> None:
    async with pool.acquire() as connection:
        if error is not None:
            await connection.execute(SQL.add_errors, job.job_id, [job.lines + 1], [error.message], ["[]"])
        await connection.execute(SQL.end, job.job_id, state, clock.now())


async def _do_chunk(pool: Pool, programs: Programs, job: Job, lines: Sequence[Line]) -> None:
    live = await programs.live(job.org_id)
    before = msgspec.structs.asdict(job)
    async with pool.acquire() as connection:

        async def attempt() -> None:
            for name, value in before.items():  # a second attempt begins where the first one did
                setattr(job, name, value.copy() if name in ("given", "booked") else value)
            async with atomic(connection):
                errors = [(one.number, one.error) for one in lines if one.error is not None]
                good = [one for one in lines if one.error is None]
                errors += await _KINDS[job.kind](connection, live, job, good)
                kept = sorted(errors, key=lambda one: one[0])[: max(0, ERRORS_MAX - job.refused)]
                if kept:
                    await connection.execute(
                        SQL.add_errors, job.job_id, [number for number, _ in kept],
                        [error.message for _, error in kept],
                        [msgspec.json.encode([msgspec.structs.asdict(one) for one in error.fields]).decode() for _, error in kept],
                    )  # fmt: skip
                job.refused += len(errors)
                job.lines = lines[-1].number
                result = _Result(job.unchanged, job.given, job.booked)
                await connection.execute(
                    SQL.move, job.job_id, job.lines, job.accepted, job.refused, clock.now(),
                    msgspec.json.encode(result).decode(),
                )  # fmt: skip

        await retried(attempt)


Errors = list[tuple[int, PlauditError]]


# -------------------------------------------------------------------------------------------------------- members


async def _import_members(connection: Connection, live: Live, job: Job, lines: Sequence[Line]) -> Errors:
    errors: Errors = []
    arrivals: dict[UUID, Taken] = {}
    now = live.now()
    for line in lines:
        try:
            user_id, brought = read_member(line.value, live.profiles, live.program.metrics)
            # The key makes it count once: the same member, imported again as before, changes nothing.
            arrival = _arrival(
                live, user_id, IMPORT, "member.imported", msgspec.to_builtins(brought), now, f"import:{user_id}"[:128]
            )
        except PlauditError as error:
            errors.append((line.number, error))
            continue
        if arrival.event_id in arrivals:
            errors.append((line.number, Invalid("The same user stands in an earlier line", code="twice")))
            continue
        arrivals[arrival.event_id] = (line.number, arrival, brought)
    errors += await _take_codes(connection, live, arrivals)
    processed = await _processed(connection, live, [arrival for _, arrival, _ in arrivals.values()], errors, arrivals)
    known = await connection.fetch(
        inbox.SQL.fingerprints, [one for one, state in processed.items() if state == "duplicate"]
    )
    differ = {row["event_id"] for row in known if row["fingerprint"] != arrivals[row["event_id"]][1].fingerprint}
    for event_id, state in processed.items():
        number, _, brought = arrivals[event_id]
        if event_id in differ:
            errors.append((number, Invalid("The user was imported before with other values", code="changed")))
            continue
        if state == "duplicate":
            job.unchanged += 1
        else:
            job.accepted += 1
        for metric, given in brought.lots.items():
            job.given[metric] = job.given.get(metric, 0) + sum(lot.amount for lot in given)
    counted = [one for one in processed if one not in differ and arrivals[one][2].lots]
    if counted:
        for row in await connection.fetch(SQL.booked, counted):
            job.booked[row["metric"]] = job.booked.get(row["metric"], 0) + int(row["amount"])
    return errors


Taken = tuple[int, Arrival, Import]  # the number of a line, its event, what the member brings


async def _take_codes(connection: Connection, live: Live, arrivals: dict[UUID, Taken]) -> Errors:
    """Put the codes that members bring into their hands; a member whose code is another's is left out."""
    rows = [
        (*key, arrival.bucket, arrival.member_id, coupon_id, arrival.occurred_at)
        for _, arrival, brought in arrivals.values()
        for *key, coupon_id in _codes_of(live, arrival, brought)
    ]
    if not rows:
        return []
    first = {row[:3]: row for row in reversed(rows)}  # of two who bring one code, the first has it
    columns = [list(column) for column in zip(*first.values(), strict=True)]
    await connection.execute(SQL.take_codes, *columns)
    mine = {row["coupon_id"] for row in await connection.fetch(SQL.codes_taken, *columns[:3], columns[5])}
    errors: Errors = []
    for event_id, (number, arrival, brought) in list(arrivals.items()):
        if any(coupon_id not in mine for *_, coupon_id in _codes_of(live, arrival, brought)):
            errors.append((number, invalid_fields([FieldError("codes", "are in other hands")])))
            del arrivals[event_id]
            await _give_back(connection, live, arrival, brought)
    return errors


def _codes_of(live: Live, arrival: Arrival, brought: Import) -> list[tuple[UUID, str, str, UUID]]:
    """The codes that a member brings: organisation, pool, code, and the coupon that each becomes."""
    return [
        (live.program.org_id, code.pool_id, code.code, coupon_id_of(arrival.event_id, code))
        for code in brought.codes
        if code.pool_id in live.program.pools
    ]


async def _give_back(connection: Connection, live: Live, arrival: Arrival, brought: Import) -> None:
    rows = _codes_of(live, arrival, brought)
    if rows:
        await connection.execute(SQL.give_back, *(list(column) for column in zip(*rows, strict=True)))


async def _processed(
    connection: Connection,
    live: Live,
    arrivals: Sequence[Arrival],
    errors: Errors,
    numbers: Mapping[UUID, Taken],
) -> dict[UUID, str]:
    """Decide and write; answers what became of each. What cannot be written is found by halving, as the worker does."""
    found: dict[UUID, str] = {}
    todo = [list(arrivals)] if arrivals else []
    while todo:
        batch = todo.pop()
        try:
            async with atomic(connection):
                done = await process(connection, {live.program.org_id: live.program}, batch, clock.now())
                refused = [one for one in done if one.state in ("rejected", "failed")]
                if refused and len(batch) > 1:
                    raise _RefusedError
                if refused:
                    raise _RefusedError(str(refused[0].decision.refusal if refused[0].decision else "failed"))
        except (_RefusedError, asyncpg.UniqueViolationError) as problem:
            if len(batch) > 1:
                middle = len(batch) // 2
                todo += [batch[middle:], batch[:middle]]  # the first lines first
                continue
            why = (
                "a unique field is another user's"
                if isinstance(problem, asyncpg.UniqueViolationError)
                else str(problem)
            )
            number, arrival, brought = numbers[batch[0].event_id]
            await _give_back(connection, live, arrival, brought)
            errors.append((number, Invalid(f"The line cannot be taken: {why.replace('_', ' ')}", code="refused")))
        else:
            found |= {one.arrival.event_id: one.state for one in done if one.arrival.event_id in numbers}
    return found


class _RefusedError(Exception):
    """Something in a batch was refused: nothing of it is written."""


def _arrival(live: Live, user_id: str, kind: str, trigger: str, data: Json, now: datetime, key: str | None) -> Arrival:
    try:
        return arrival_of(
            org_id=live.program.org_id, user_id=user_id, kind=kind, trigger=trigger, occurred_at=now,
            received_at=clock.now(), payload=Payload(data), source="import", event_id=clock.new_id(), event_key=key,
        )  # fmt: skip
    except OverflowError:
        raise Invalid("The line must not have integers beyond 64 bits") from None


async def _update_members(connection: Connection, live: Live, job: Job, lines: Sequence[Line]) -> Errors:
    """Fields of members that there are; the others stay as they are."""
    errors: Errors = []
    numbers: dict[UUID, Taken] = {}
    now = live.now()
    users = [line.fields.get("userId") for line in lines]
    keys = [member_id_of(live.program.org_id, str(one)) for one in users]
    rows = await connection.fetch(SQL.existing, [bucket_of(one) for one in keys], keys)
    there = {row["user_id"] for row in rows}
    for line, user_id in zip(lines, users, strict=True):
        if not isinstance(user_id, str) or user_id not in there:
            message = "is missing" if user_id is None else "must be a user that there is"
            errors.append((line.number, invalid_fields([FieldError("userId", message)])))
            continue
        found, wrong = written(live.profiles, line.fields, new=False)
        if wrong:
            errors.append((line.number, invalid_fields(wrong)))
            continue
        data = {"attributes": found.attributes, "identities": found.names}
        arrival = _arrival(live, user_id, PROFILE, "profile.set", data, now, None)
        numbers[arrival.event_id] = (line.number, arrival, Import())
    done = await _processed(connection, live, [arrival for _, arrival, _ in numbers.values()], errors, numbers)
    job.accepted += len(done)
    return errors


# ---------------------------------------------------------------------------------------------------------- codes


async def _import_codes(connection: Connection, live: Live, job: Job, lines: Sequence[Line]) -> Errors:
    """Codes into pools: `poolId`, `code`. Those that a pool has already change nothing."""
    errors: Errors = []
    by_pool: dict[str, list[str]] = {}
    for line in lines:
        pool_id, code = line.fields.get("poolId"), line.fields.get("code")
        if pool_id not in live.program.pools:
            errors.append((line.number, invalid_fields([FieldError("poolId", "must be a pool that there is")])))
        elif not isinstance(code, str) or not 1 <= len(code) <= 128 or not code.isprintable():
            errors.append((line.number, invalid_fields([FieldError("code", "must be a text of 1 to 128 characters")])))
        else:
            by_pool.setdefault(str(pool_id), []).append(code)
    for pool_id, given in sorted(by_pool.items()):
        new = await codes.add(connection, live.program.org_id, pool_id, given)
        job.accepted += new
        job.unchanged += len(given) - new
    return errors


_KINDS = {"members": _import_members, "update": _update_members, "codes": _import_codes}


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


def job_of(row: Json) -> Job:
    """A job from its row."""
    kept = msgspec.json.decode(row["result"], type=_Result) if row["result"] else _Result()
    names = ("job_id", "org_id", "kind", "lines", "accepted", "refused")
    return Job(**{name: row[name] for name in names}, **msgspec.structs.asdict(kept))

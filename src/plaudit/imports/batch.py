"""Import a batch of lines as events, in one transaction. An invalid line does not affect the others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct, field

from plaudit import bounds, clock
from plaudit.core.commands.import_member import ImportOrder, coupon_id_of, data_of
from plaudit.core.event import FILE, IMPORT, PROFILE
from plaudit.core.refusals import message_of
from plaudit.documents.import_record import read_member
from plaudit.documents.lenient import id_text
from plaudit.documents.profile import validate_update
from plaudit.engine import inbox
from plaudit.engine.arrival import Arrival, Payload, arrival_from_client
from plaudit.engine.process import process
from plaudit.errors import FieldError, Invalid, PlauditError, invalid_fields
from plaudit.guard import known
from plaudit.reads.identities import existing_members
from plaudit.storage import code_pools
from plaudit.storage.postgres import Connection, Pool, atomic, with_retries
from plaudit.storage.programmes import Programme
from plaudit.storage.queries import queries_beside

from .reader import InputLine

_SQL = queries_beside(__file__)

CODE_MAX = 128

Errors = list[tuple[int, PlauditError]]
ImportedLine = tuple[int, Arrival, ImportOrder]  # the line's number, its event, and the member's data to import


class ImportBatch(Struct, frozen=True):
    """Some lines of a chunk. Batches that run in parallel have no bucket in common, so none waits for another."""

    org_id: UUID
    kind: str  # members, update or codes
    lines: Sequence[InputLine]


class BatchResult(Struct):
    """The result of a batch. `given` and `booked` are sums by metric, in smallest units; `errors` have line numbers."""

    accepted: int = 0
    unchanged: int = 0
    given: Counter[str] = field(default_factory=Counter[str])
    booked: Counter[str] = field(default_factory=Counter[str])
    errors: Errors = field(default_factory=list[tuple[int, PlauditError]])


async def import_batch(pool: Pool, programme: Programme, batch: ImportBatch) -> BatchResult:
    """Import the lines of a batch. Raise the database's errors; in that case nothing was written."""
    lines = [line.read() for line in batch.lines]
    errors: Errors = [(line.number, line.error) for line in lines if line.error is not None]
    valid = [line for line in lines if line.error is None]
    members: dict[UUID, ImportedLine] = {}
    if batch.kind == "members":
        members, invalid = _members_in(programme, valid)
        errors += invalid
    async with pool.acquire() as connection:

        async def attempt() -> BatchResult:
            result = BatchResult(errors=list(errors))
            async with atomic(connection):
                if batch.kind == "members":
                    await _import_members(connection, programme, members, result)
                else:
                    await _BY_LINES[batch.kind](connection, programme, valid, result)
            return result

        return await with_retries(attempt)


# -------------------------------------------------------------------------------------------------------- members


def _members_in(programme: Programme, lines: Sequence[InputLine]) -> tuple[dict[UUID, ImportedLine], Errors]:
    """Return the members of these lines by the ids of their events, and the errors of invalid lines."""
    errors: Errors = []
    arrivals: dict[UUID, ImportedLine] = {}
    at, now = clock.now(), programme.now()
    for line in lines:
        try:
            user_id, order = read_member(line.value, programme.profiles, programme.compiled.metrics)
            # The key makes the event count once: importing the same member with the same values again changes nothing.
            arrival = _arrival(
                programme, user_id, IMPORT, "member.imported", data_of(order), now, at, f"import:{user_id}"[:128]
            )
        except PlauditError as error:
            errors.append((line.number, error))
            continue
        if arrival.event_id in arrivals:
            message = f"This user already appears in line {arrivals[arrival.event_id][0]}"
            errors.append((line.number, Invalid(message, code="twice")))
            continue
        arrivals[arrival.event_id] = (line.number, arrival, order)
    return arrivals, errors


async def _import_members(
    connection: Connection, programme: Programme, members: Mapping[UUID, ImportedLine], result: BatchResult
) -> None:
    arrivals = dict(members)
    result.errors += await _take_codes(connection, programme, arrivals)
    processed = await _processed(connection, programme, arrivals, result.errors)
    duplicates = [id_ for id_, state in processed.items() if state == "duplicate"]
    differ = await inbox.mismatched(connection, (arrivals[id_][1] for id_ in duplicates))
    for event_id in differ:
        line_number, _, _ = arrivals[event_id]
        error = Invalid("This user was already imported with different values", code="changed")
        result.errors.append((line_number, error))
    result.unchanged += len(duplicates) - len(differ)
    result.accepted += len(processed) - len(duplicates)
    counted = [event_id for event_id in processed if arrivals[event_id][2].lots and event_id not in differ]
    for event_id in counted:
        for metric, value in arrivals[event_id][2].lots.items():
            result.given[metric] += sum(lot.amount for lot in value)
    if counted:
        for row in await connection.fetch(_SQL.booked, counted):
            result.booked[row["metric"]] += int(row["amount"])


async def _take_codes(connection: Connection, programme: Programme, arrivals: dict[UUID, ImportedLine]) -> Errors:
    """Issue the imported codes to their members. Leave out members whose code belongs to another member."""
    rows = [
        (*key, arrival.bucket, arrival.member_id, coupon_id, arrival.received_at)
        for _, arrival, order in arrivals.values()
        if order.codes
        for *key, coupon_id in _codes_of(programme, arrival, order)
    ]
    if not rows:
        return []
    first = {row[:3]: row for row in reversed(rows)}  # if two lines have the same code, the first line's member gets it
    columns = [list(column) for column in zip(*first.values(), strict=True)]
    await connection.execute(_SQL.take_codes, *columns)
    issued = {row["coupon_id"] for row in await connection.fetch(_SQL.codes_taken, *columns[:3], columns[5])}
    errors: Errors = []
    for event_id, (line_number, arrival, order) in list(arrivals.items()):
        codes = _codes_of(programme, arrival, order)
        others = [code for _, _, code, *_, coupon_id in codes if coupon_id not in issued]
        if others:
            message = f"include one that belongs to another member: {others[0]}"
            errors.append((line_number, invalid_fields([FieldError("codes", message)])))
            del arrivals[event_id]
            await _release_codes(connection, programme, arrival, order)
    return errors


def _codes_of(programme: Programme, arrival: Arrival, order: ImportOrder) -> list[tuple[UUID, str, str, UUID]]:
    """Return a member's imported codes: organisation, pool, code, and the id of the coupon it becomes."""
    return [
        (programme.compiled.org_id, code.pool_id, code.code, coupon_id_of(arrival.event_id, code))
        for code in order.codes
        if code.pool_id in programme.compiled.pools
    ]


async def _release_codes(connection: Connection, programme: Programme, arrival: Arrival, order: ImportOrder) -> None:
    rows = _codes_of(programme, arrival, order)
    if rows:
        await connection.execute(_SQL.release_codes, *(list(column) for column in zip(*rows, strict=True)))


async def _processed(
    connection: Connection, programme: Programme, lines: Mapping[UUID, ImportedLine], errors: Errors
) -> dict[UUID, str]:
    """Decide and commit the events, and return their states. Find events that cannot be stored by halving the batch."""
    states: dict[UUID, str] = {}
    stopped = {event_id: known.all[event_id] for event_id in lines if event_id in known.all} if known.all else {}
    for event_id, suspect in stopped.items():
        errors.append((lines[event_id][0], Invalid(f"The line is not retried: {suspect.reason}", code="refused")))
    rest = [arrival for _, arrival, _ in lines.values() if arrival.event_id not in stopped]
    todo = [rest] if rest else []
    while todo:
        batch = todo.pop()
        try:
            async with atomic(connection):
                alone = len(batch) == 1
                programmes = {programme.compiled.org_id: programme.compiled}
                processed = await process(connection, programmes, batch, clock.now(), with_decisions=alone)
                refused = [event for event in processed if event.state in ("rejected", "failed")]
                if refused and not alone:
                    raise _RefusedError
                if refused:
                    decision = refused[0].decision
                    raise _RefusedError(
                        message_of(decision.refusal) if decision and decision.refusal else "Internal error"
                    )
        except (_RefusedError, asyncpg.UniqueViolationError) as problem:
            if len(batch) > 1:
                middle = len(batch) // 2
                todo += [batch[middle:], batch[:middle]]  # the first half is popped first
                continue
            reason = (
                "Another user already has a unique field of this one"
                if isinstance(problem, asyncpg.UniqueViolationError)
                else str(problem)
            )
            line_number, arrival, order = lines[batch[0].event_id]
            await _release_codes(connection, programme, arrival, order)
            errors.append((line_number, Invalid(reason, code="refused")))
        else:
            states |= {event.arrival.event_id: event.state for event in processed if event.arrival.event_id in lines}
    return states


_DERIVED_FROM_KEY = UUID(int=0)  # stands for the id that follows from the key


class _RefusedError(Exception):
    """An event of a batch was refused, so nothing of the batch is written."""


def _arrival(
    programme: Programme, user_id: str, kind: str, trigger: str, data: Any, now: datetime, at: datetime, key: str | None
) -> Arrival:
    return arrival_from_client(
        org_id=programme.compiled.org_id, user_id=user_id, kind=kind, trigger=trigger, occurred_at=now,
        received_at=at, payload=Payload(data), source=FILE, event_id=_DERIVED_FROM_KEY if key else clock.new_uuid7(), event_key=key,
    )  # fmt: skip


async def _update_members(
    connection: Connection, programme: Programme, lines: Sequence[InputLine], result: BatchResult
) -> None:
    """Update the given fields of existing members; other fields stay as they are."""
    errors = result.errors
    updates: dict[UUID, ImportedLine] = {}
    at, now = clock.now(), programme.now()
    users = [id_text(line.fields.get("userId")) for line in lines]
    user_ids = [user_id for user_id in users if isinstance(user_id, str)]
    existing = await existing_members(connection, programme.compiled.org_id, user_ids)
    for line, user_id in zip(lines, users, strict=True):
        if not isinstance(user_id, str) or user_id not in existing:
            message = (
                "is missing" if user_id is None else f"must reference an existing user (got {str(user_id)[:64]!r})"
            )
            errors.append((line.number, invalid_fields([FieldError("userId", message)])))
            continue
        profile, wrong = validate_update(programme.profiles, line.fields, new=False)
        if wrong:
            errors.append((line.number, invalid_fields(wrong)))
            continue
        data = {"attributes": profile.attributes, "identities": profile.names}
        arrival = _arrival(programme, user_id, PROFILE, "profile.set", data, now, at, None)
        updates[arrival.event_id] = (line.number, arrival, ImportOrder())
    result.accepted += len(await _processed(connection, programme, updates, errors))


# ---------------------------------------------------------------------------------------------------------- codes


async def _import_codes(
    connection: Connection, programme: Programme, lines: Sequence[InputLine], result: BatchResult
) -> None:
    """Add codes to pools (`poolId`, `code`). Codes that a pool already has change nothing."""
    errors = result.errors
    by_pool: dict[str, list[str]] = {}
    for line in lines:
        pool_id, code = line.fields.get("poolId"), line.fields.get("code")
        if pool_id not in programme.compiled.pools:
            errors.append((line.number, invalid_fields([FieldError("poolId", "must reference an existing code pool")])))
        elif not isinstance(code, str) or bounds.wrong_id(code, CODE_MAX):
            errors.append(
                (line.number, invalid_fields([FieldError("code", "must be a string of 1 to 128 characters")]))
            )
        else:
            by_pool.setdefault(str(pool_id), []).append(code)
    for pool_id, codes in sorted(by_pool.items()):
        new = await code_pools.add(connection, programme.compiled.org_id, pool_id, codes)
        result.accepted += new
        result.unchanged += len(codes) - new


_BY_LINES = {"update": _update_members, "codes": _import_codes}

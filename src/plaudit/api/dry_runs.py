"""Dry runs: run any write in a transaction, return what it would do, and roll back.

    BEGIN ──► run the operation, with one connection instead of the pools ──► decide the events that it queued
          ──► read the events back and explain them ──► ROLLBACK

Operations need no code for it. They cannot change anything outside the transaction: they get separate caches, a separate
inbox, and no database URL to connect with. Codes are masked, because a dry run must not give away a code for free.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from msgspec import Struct, structs

from plaudit import clock
from plaudit.engine import inbox
from plaudit.engine.arrival import Arrival
from plaudit.engine.inbox import AppendResult, Inbox
from plaudit.engine.process import process
from plaudit.engine.processed import ProcessedEvent
from plaudit.engine.recording import RECORDING, Recording
from plaudit.errors import Unavailable
from plaudit.reads import events
from plaudit.reads.leaderboards import Leaderboards
from plaudit.storage.one_connection import OneConnection
from plaudit.storage.postgres import Connection, Pool

from .admin.events import explained_event
from .http.operations import Call, Operation, OperationResult
from .http.schemas import INTEGER, object_of
from .http.wire import Json
from .identity.callers import CallerCache
from .named_members import name_members
from .views.base import to_builtins
from .views.decision import Outcome, outcome_of
from .views.dry_run import DryRunTransaction
from .views.events import EventExplanation

SECONDS_MAX = 30.0  # its locks make others wait for at most this long
EVENTS_MAX = 20  # the most that are returned; `eventCount` counts all
MASK = "********"

DRY_RUN_SCHEMA = object_of(
    {
        "events": {"type": "array", "items": EventExplanation | Outcome},
        "eventCount": INTEGER,
        "transactions": {"type": "array", "items": DryRunTransaction},
    }
)


class DryRunResult(Struct, frozen=True):
    """What a call would return (`enveloped` or not), and the events and transactions that would follow."""

    data: Any
    enveloped: bool
    follows: Json


class _Undo(Exception):
    """Rolls back the transaction of a dry run."""


class _DryRunInbox(Inbox):
    """An inbox that writes within the dry run's transaction, so no worker sees its arrivals."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self._pool_of_one = pool

    async def append(self, arrivals: Sequence[Arrival]) -> AppendResult:
        async with self._pool_of_one.acquire() as connection:
            return await inbox.append(connection, arrivals)


async def run_dry(operation: Operation, call: Call) -> DryRunResult:
    """Run a call and roll it back. Raise the errors of the call, and Unavailable if it takes too long."""
    result: DryRunResult | None = None
    recording = Recording()
    token = RECORDING.set(recording)
    try:
        async with (
            asyncio.timeout(SECONDS_MAX),
            call.connection() as connection,
            connection.transaction(),
        ):
            result = await _run(operation, call, connection, recording)
            raise _Undo
    except _Undo:
        pass
    except TimeoutError:
        raise Unavailable(f"The dry run took more than {SECONDS_MAX:g} seconds; send less at a time") from None
    finally:
        RECORDING.reset(token)
    assert result is not None
    return result


async def _run(operation: Operation, call: Call, connection: Connection, recording: Recording) -> DryRunResult:
    pool = cast("Pool", OneConnection(connection))
    services = call.services
    call.services = structs.replace(
        services,
        url="",
        pool=pool,
        engine_pool=pool,
        programmes=services.programmes.apart(pool),
        inbox=_DryRunInbox(pool),
        callers=CallerCache(pool, services.callers.tokens),
        boards=Leaderboards(pool),
    )
    call.idempotency_key = None

    async def decide_queued() -> None:
        await _decide_queued(call, connection, recording)

    call.decide_queued = decide_queued
    await name_members(operation, call)
    returned = await operation.run(call)
    await decide_queued()
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # otherwise deferred ones are only checked at COMMIT
    follows = await _follows(call, recording)
    result = (
        returned if isinstance(returned, OperationResult) else OperationResult(data=returned, status=operation.status)
    )
    codes = _codes(recording)
    enveloped = operation.enveloped and result.enveloped
    return DryRunResult(_masked(to_builtins(result.data), codes), enveloped, _masked(to_builtins(follows), codes))


async def _decide_queued(call: Call, connection: Connection, recording: Recording) -> None:
    """Decide the events that the call queued, and the events that follow from them, as a worker would."""
    program = (await call.programme()).compiled
    while recording.queued:
        by_bucket: dict[int, list[UUID]] = {}
        for bucket, event_id in recording.queued:
            by_bucket.setdefault(bucket, []).append(event_id)
        recording.queued.clear()
        waiting: list[Arrival] = []
        for bucket in sorted(by_bucket):
            arrivals = await inbox.fetch_waiting(connection, bucket, by_bucket[bucket])
            waiting += [arrival for arrival in arrivals if arrival.org_id == call.org_id]
        if waiting:
            await process(connection, {call.org_id: program}, waiting, clock.now())


async def _follows(call: Call, recording: Recording) -> Json:
    """Return the decided events: as `explain` does if the caller may read members, otherwise as `Prefer: wait` does."""
    seen = [processed for processed in recording.decided if _may_see(call, processed)]
    decided = list({processed.arrival.event_id: processed for processed in seen}.values())
    views: list[Any] = []
    transactions: list[DryRunTransaction] = []
    programme = await call.programme()
    count = 0
    async with call.connection() as connection:
        for processed in decided:
            arrival = processed.arrival
            row = await events.fetch_event(connection, call.org_id, [arrival.event_id])
            if row is None:
                continue  # it was refused and rolled back
            count += 1
            if len(views) >= EVENTS_MAX:
                continue
            if "members:read" in call.scopes:
                record = await explained_event(connection, programme, row)
                transactions += [
                    DryRunTransaction(user_id=arrival.user_id, **structs.asdict(of)) for of in record.transactions
                ]
            else:
                record = outcome_of(processed.program or programme.compiled, processed)
                transactions += [DryRunTransaction(**structs.asdict(of)) for of in record.transactions or ()]
            views.append(record)
    return {"events": views, "eventCount": count, "transactions": transactions}


def _may_see(call: Call, processed: ProcessedEvent) -> bool:
    """Members only see their own events."""
    own = call.caller.user_id if call.caller is not None else None
    return own is None or processed.arrival.user_id == own


def _codes(recording: Recording) -> frozenset[str]:
    """Return the codes that were allocated from pools or that coupons contain."""
    codes: set[str] = set()
    for processed in recording.decided:
        codes.update(processed.codes.values())
        if processed.decision is not None:
            codes.update(issue.code for issue in processed.decision.coupons if issue.code is not None)
    return frozenset(codes)


def _masked(value: Any, codes: frozenset[str]) -> Any:
    if not codes:
        return value
    if isinstance(value, str):
        return MASK if value in codes else value
    if isinstance(value, dict):
        return {name: _masked(part, codes) for name, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_masked(part, codes) for part in cast("list[Any]", value)]
    return value

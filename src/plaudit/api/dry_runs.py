"""Dry runs: any write, decided as it would be, and undone.

    BEGIN ──► the call, with one connection in the place of the pools ──► what it queued is decided, too
          ──► the events are read back and explained ──► ROLLBACK

The call itself knows nothing of it. What it would change outside of the database it does not reach: it gets caches and
an inbox of its own, and no addresses for connections of its own. Codes are not shown: who has not paid has none.
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
from plaudit.engine.watching import WATCHED, Watched
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
from .people import name_people
from .views.base import to_builtins
from .views.decision import Outcome, outcome_of
from .views.dry_run import DryRunTransaction
from .views.events import EventExplanation

SECONDS_MAX = 30.0  # for so long others may have to wait for what it has locked
EVENTS_MAX = 20  # that are shown; all are counted
MASK = "********"

DRY_RUN_SCHEMA = object_of(
    {
        "events": {"type": "array", "items": EventExplanation | Outcome},
        "eventCount": INTEGER,
        "transactions": {"type": "array", "items": DryRunTransaction},
    }
)


class Tried(Struct, frozen=True):
    """What a call would return, in an envelope or not, and what would follow from it."""

    data: Any
    enveloped: bool
    follows: Json


class _Undo(Exception):
    """Ends the transaction of a dry run."""


class _OwnInbox(Inbox):
    """The inbox of a dry run: no worker sees what is in it."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self._one = pool

    async def append(self, arrivals: Sequence[Arrival]) -> AppendResult:
        async with self._one.acquire() as connection:
            return await inbox.append(connection, arrivals)


async def try_out(operation: Operation, call: Call) -> Tried:
    """Run a call and undo it. Raise what it raises, and Unavailable if it takes too long."""
    tried: Tried | None = None
    watched = Watched()
    token = WATCHED.set(watched)
    try:
        async with (
            asyncio.timeout(SECONDS_MAX),
            call.connection() as connection,
            connection.transaction(),
        ):
            tried = await _tried(operation, call, connection, watched)
            raise _Undo
    except _Undo:
        pass
    except TimeoutError:
        raise Unavailable(f"The dry run took more than {SECONDS_MAX:g} seconds; send less at a time") from None
    finally:
        WATCHED.reset(token)
    assert tried is not None
    return tried


async def _tried(operation: Operation, call: Call, connection: Connection, watched: Watched) -> Tried:
    pool = cast("Pool", OneConnection(connection))
    services = call.services
    call.services = structs.replace(
        services,
        url="",
        pool=pool,
        engine_pool=pool,
        programmes=services.programmes.apart(pool),
        inbox=_OwnInbox(pool),
        callers=CallerCache(pool, services.callers.tokens),
        boards=Leaderboards(pool),
    )
    call.idempotency_key = None

    async def decide_queued() -> None:
        await _decide_queued(call, connection, watched)

    call.decide_queued = decide_queued
    await name_people(operation, call)
    result = await operation.run(call)
    await decide_queued()
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what would only be found out at the end
    follows = await _follows(call, watched)
    given = result if isinstance(result, OperationResult) else OperationResult(data=result, status=operation.status)
    codes = _codes(watched)
    enveloped = operation.enveloped and given.enveloped
    return Tried(_masked(to_builtins(given.data), codes), enveloped, _masked(to_builtins(follows), codes))


async def _decide_queued(call: Call, connection: Connection, watched: Watched) -> None:
    """Decide what waits in the inbox because of the call, and what follows from that, as a worker would."""
    program = (await call.programme()).compiled
    while watched.queued:
        by_bucket: dict[int, list[UUID]] = {}
        for bucket, event_id in watched.queued:
            by_bucket.setdefault(bucket, []).append(event_id)
        watched.queued.clear()
        waiting: list[Arrival] = []
        for bucket in sorted(by_bucket):
            arrivals = await inbox.fetch_waiting(connection, bucket, by_bucket[bucket])
            waiting += [arrival for arrival in arrivals if arrival.org_id == call.org_id]
        if waiting:
            await process(connection, {call.org_id: program}, waiting, clock.now())


async def _follows(call: Call, watched: Watched) -> Json:
    """What was decided: in the form of `explain` for those who may read members, else as `Prefer: wait` tells it."""
    seen = [processed for processed in watched.decided if _may_see(call, processed)]
    decided = list({processed.arrival.event_id: processed for processed in seen}.values())
    shown: list[Any] = []
    posted: list[DryRunTransaction] = []
    programme = await call.programme()
    count = 0
    async with call.connection() as connection:
        for processed in decided:
            arrival = processed.arrival
            row = await events.fetch_event(connection, call.org_id, [arrival.event_id])
            if row is None:
                continue  # a refusal, which undid it
            count += 1
            if len(shown) >= EVENTS_MAX:
                continue
            if "members:read" in call.scopes:
                record = await explained_event(connection, programme, row)
                posted += [
                    DryRunTransaction(user_id=arrival.user_id, **structs.asdict(of)) for of in record.transactions
                ]
            else:
                record = outcome_of(processed.program or programme.compiled, processed)
                posted += [DryRunTransaction(**structs.asdict(of)) for of in record.transactions or ()]
            shown.append(record)
    return {"events": shown, "eventCount": count, "transactions": posted}


def _may_see(call: Call, processed: ProcessedEvent) -> bool:
    """Members see what follows for themselves."""
    own = call.caller.user_id if call.caller is not None else None
    return own is None or processed.arrival.user_id == own


def _codes(watched: Watched) -> frozenset[str]:
    """The codes that were taken out of pools, or that a coupon would tell."""
    found: set[str] = set()
    for processed in watched.decided:
        found.update(processed.codes.values())
        if processed.decision is not None:
            found.update(issue.code for issue in processed.decision.coupons if issue.code is not None)
    return frozenset(found)


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

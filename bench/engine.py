"""The engine without HTTP: events decided and committed a second, beside the same rows with no engine at all."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any
from uuid import UUID

import uvloop

from plaudit import clock
from plaudit.core.event import ACTION
from plaudit.core.ids import bucket_of, derived_id, member_id_of
from plaudit.documents.kinds import KINDS
from plaudit.engine import inbox
from plaudit.engine.arrival import Arrival, Payload, arrival_from_client
from plaudit.engine.load import lock_buckets
from plaudit.engine.tables import EVENT_IDS, EVENTS, TRANSACTIONS, UPDATE_ALL, UPDATED
from plaudit.engine.worker import BATCH_EVENTS_MAX, LANES, Worker
from plaudit.runtime import set_niceness, tune_gc
from plaudit.settings import Settings
from plaudit.storage.documents import Change, create
from plaudit.storage.orgs import create_org
from plaudit.storage.postgres import Connection, Pool, atomic, create_pool
from plaudit.storage.programmes import Programmes

LISTENING = 5
CHUNK_MEMBERS = 100_000
STATE = '[1,"2026-11-21T00:00:00Z",{},{},"",null]'
OUTCOME = (
    '{"trace":[["camp_0",0,0,null,[[0,true,50],[1,true,"USD"]],[[0,null,5]],null,null],'
    '["camp_1",0,0,"condition_failed",[[0,false,50]],[],null,null],["camp_2",0,0,"condition_failed",[[0,false,50]],[],null],'
    '["camp_3",0,0,"condition_failed",[[0,false,50]],[],null,null],["camp_4",0,0,"condition_failed",[[0,false,50]],[],null]]}'
)


@dataclass
class Org:
    """The organisation that is measured."""

    org_id: UUID
    members: int
    secret: str


def like_a_worker(measure: Callable[[], Coroutine[None, None, float]]) -> float:
    """Return what a measure returns in a process that runs as a worker of `serve`: in its own session, with priority for a core."""
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_become_a_worker) as process:
        return process.submit(_run, measure).result()


def _become_a_worker() -> None:
    os.setsid()
    set_niceness(Settings.from_environment().worker_nice)
    tune_gc()


def _run(measure: Callable[[], Coroutine[None, None, float]]) -> float:
    return uvloop.run(measure())


async def prepare(url: str, members: int, campaigns: int = 100) -> Org:
    """`campaigns` live campaigns, of which five listen to a purchase and one pays for it.

    The members have been here before: each has a balance and progress.
    """
    pool = await create_pool(url, size=2)
    async with pool.acquire() as connection:
        credentials = await create_org(connection, "Bench", clock.now())
        org_id = credentials.org_id
        for i in range(campaigns):
            bound = 0 if i == 0 else 100
            raw = {
                "name": f"Campaign {i}",
                "triggers": [
                    {
                        "type": "purchase" if i < LISTENING else f"other_{i}",
                        "conditions": [
                            {"field": "amount", "operator": ">=", "value": bound},
                            {"field": "currency", "operator": "equals", "value": "USD"},
                        ],
                    }
                ],
                "effects": [{"type": "add_points", "config": {"amount": 5, "reason": "Purchase"}}],
            }
            change = Change(org_id=org_id, kind=KINDS["campaign"], id=f"camp_{i}", by="bench", at=clock.now())
            await create(connection, change, raw)
        for start in range(0, members, CHUNK_MEMBERS):
            await _add_members(connection, org_id, range(start, min(start + CHUNK_MEMBERS, members)))
        await connection.execute("VACUUM ANALYZE")
    await pool.close()
    return Org(org_id, members, credentials.api_secret)


async def _add_members(connection: Connection, org_id: UUID, numbers: range) -> None:
    now = clock.now()
    ids = [(member_id_of(org_id, f"user_{i}"), f"user_{i}") for i in numbers]
    keys = [(bucket_of(member_id), member_id, user) for member_id, user in ids]
    rows: dict[str, tuple[Sequence[str], list[tuple[Any, ...]]]] = {
        "members": (
            ("bucket", "member_id", "org_id", "user_id", "attributes", "enrolled_at", "latest_at", "sequence"),
            [(bucket, member, org_id, user, "{}", now, now, 0) for bucket, member, user in keys],
        ),
        "balances": (
            ("bucket", "member_id", "metric", "amount", "earned"),
            [(bucket, member, "points", 0, 0) for bucket, member, _ in keys],
        ),
        "progress": (
            ("bucket", "member_id", "kind", "key", "state"),
            [(bucket, member, "campaign", "camp_0", STATE) for bucket, member, _ in keys],
        ),
    }
    for name, (columns, records) in rows.items():
        await connection.copy_records_to_table(name, records=records, columns=columns)


def _arrivals(org: Org, count: int) -> list[Arrival]:
    chance = random.Random(count)
    now = clock.now()
    return [
        arrival_from_client(
            org_id=org.org_id,
            user_id=f"user_{chance.randrange(org.members)}",
            kind=ACTION,
            trigger="purchase",
            occurred_at=now,
            received_at=now,
            payload=Payload(
                {"orderId": f"ORD-{i}", "amount": chance.choice([9.99, 50, 99.99]), "currency": "USD"},
                {"source": "bench"},
            ),
            source="api",
            event_id=clock.new_uuid7(),
        )
        for i in range(count)
    ]


async def _fill(pool: Pool, org: Org, count: int) -> None:
    arrivals = _arrivals(org, count)
    async with pool.acquire() as connection:
        for start in range(0, count, 2_000):
            await inbox.append(connection, arrivals[start : start + 2_000])
        await connection.execute("VACUUM ANALYZE inbox")
        await connection.execute("CHECKPOINT")


async def engine_rate(url: str, org: Org, count: int) -> float:
    """Events a second that one worker takes out of a full inbox, decides and commits."""
    pool = await create_pool(url, size=LANES + 2, by_key=True)
    await _fill(pool, org, count)
    worker = Worker(pool, url, Programmes(pool, url))
    await worker.renew_leases()
    started = time.perf_counter()
    done = await worker.drain()
    seconds = time.perf_counter() - started
    assert done == count, f"{done} of {count} events decided"
    await worker.release()
    await pool.close()
    return count / seconds


async def processes_rate(url: str, org: Org, count: int, workers: int) -> float:
    """Events a second that `workers` processes take out of a full inbox while all of them are at work.

    That is from when each holds buckets (who comes second waits for a share), until the first may run out of them.
    """
    pool = await create_pool(url, size=2)
    await _fill(pool, org, count)
    command = [sys.executable, "-m", "plaudit", "worker", "--database-url", url]
    children = [subprocess.Popen(command, start_new_session=True) for _ in range(workers)]  # noqa: ASYNC220
    while await pool.fetchval("SELECT count(DISTINCT worker_id) FROM leases") < workers:
        await asyncio.sleep(0.05)
    began, first = time.perf_counter(), await pool.fetchval("SELECT count(*) FROM inbox")
    left = first
    while left > count // 5:
        await asyncio.sleep(0.1)
        left = await pool.fetchval("SELECT count(*) FROM inbox")
    seconds = time.perf_counter() - began
    while await pool.fetchval("SELECT EXISTS (SELECT FROM inbox)"):
        await asyncio.sleep(0.1)
    for child in children:
        child.terminate()
    for child in children:
        child.wait()
    await pool.close()
    return max(first - left, 1) / seconds  # few of them may be done before the first look


async def bare_rows(url: str, org: Org, count: int) -> float:
    """Events a second when the very rows are written, by the same statements, with nothing decided: the limit."""
    pool = await create_pool(url, size=LANES + 2, by_key=True)
    await _fill(pool, org, count)

    async def lane(number: int) -> None:
        buckets = list(range(256))[number::LANES]
        async with pool.acquire() as connection:
            while arrivals := await inbox.peek(connection, buckets, BATCH_EVENTS_MAX):
                await _write(connection, arrivals)

    started = time.perf_counter()
    await asyncio.gather(*map(lane, range(LANES)))
    seconds = time.perf_counter() - started
    await pool.close()
    return count / seconds


async def _write(connection: Any, arrivals: list[Arrival]) -> None:
    at = clock.now()
    async with atomic(connection):
        positions = (await lock_buckets(connection, (arrival.bucket for arrival in arrivals))).positions
        await inbox.remove(connection, arrivals)
        log, ids, ledger = [], [], []
        for arrival in arrivals:
            bucket, member, event = arrival.bucket, arrival.member_id, arrival.event_id
            position = positions[bucket] = positions[bucket] + 1
            log.append(
                (bucket, position, event, None, arrival.org_id, member, arrival.user_id, arrival.kind, arrival.trigger,
                 arrival.occurred_at, arrival.received_at, at, arrival.source, "processed", 1, arrival.payload, OUTCOME)
            )  # fmt: skip
            ids.append((event, bucket, member, position, at, None))
            ledger.append(
                (bucket, member, position, 0, derived_id(event, "x"), arrival.org_id, arrival.user_id, "points", 5, 5,
                 "campaign", "camp_0", 0, 0, event, "Purchase", at, at, None, None)
            )  # fmt: skip
        for table, records in ((EVENT_IDS, ids), (EVENTS, log), (TRANSACTIONS, ledger)):
            await connection.copy_records_to_table(table.name, records=records, columns=table.names)
        keys = {arrival.member_id: arrival.bucket for arrival in arrivals}
        members = [(bucket, member, at, at, 1, None) for member, bucket in keys.items()]
        balances = [(bucket, member, "points", 5, 5, None) for member, bucket in keys.items()]
        progress = [(bucket, member, "campaign", "camp_0", STATE) for member, bucket in keys.items()]
        logs = [(bucket, position, at) for bucket, position in positions.items()]
        rows = zip(UPDATED, (members, balances, progress, logs), strict=True)
        await connection.execute(UPDATE_ALL, *(part for table, new in rows for part in table.parameters(new)))

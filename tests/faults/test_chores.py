"""Each chore of a worker is made to fail, or to hang; all the others still do their work."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import product
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from plaudit import clock, telemetry
from plaudit.api.http import idempotency
from plaudit.chores import of_workers, rollbacks
from plaudit.chores.chore import Chore, run_chores
from plaudit.chores.rollbacks import RollbackScope
from plaudit.engine.worker import LANES, POOL_SIZE, Worker
from plaudit.storage.months import month_of, months_from, name_of
from plaudit.storage.postgres import connect, create_pool
from tests.support.eventually import eventually_async
from tests.support.stage import Stage

LOCK = 4711
PAST = {"startDate": "2026-01-01T00:00:00Z", "endDate": "2026-01-02T00:00:00Z"}
PRIZES = [{"fromRank": 1, "toRank": 1, "effects": [{"type": "add_points", "amount": 1}]}]
MONTH = list(months_from(clock.now().date()))[-1]
# What shows that a chore has done its work, in a query that then has a row.
DONE = {
    "partitions": f"SELECT WHERE to_regclass('{name_of('events', MONTH)}') IS NOT NULL",
    "fill_segments": "SELECT FROM segment_fills WHERE segment_id = 'all' AND finished_at IS NOT NULL",
    "settle_competitions": "SELECT FROM competition_results WHERE competition_id = 'cup' AND settled_at IS NOT NULL",
    "settle_leagues": "SELECT FROM league_rounds WHERE competition_id = 'league'",
    "complete_documents": "SELECT FROM documents WHERE id = 'over' AND doc ->> 'status' = 'completed'",
    "continue_rollbacks": "SELECT FROM jobs WHERE kind = 'rollback' AND state = 'finished'",
    "expire_codes": "SELECT FROM codes WHERE pool_id = 'old' AND state = 'expired'",
    "retention": "SELECT WHERE NOT EXISTS (SELECT FROM idempotency_keys)",
}


class Panic(BaseException):
    """As a library written in another language raises."""


async def prepare(stage: Stage) -> None:
    """Give each chore something to do."""
    await stage.pay("paid")
    await stage.append(stage.arrival("ann"))
    await stage.drain()
    await stage.write(
        "campaign", "over", triggers=[{"type": "x"}], effects=[{"type": "add_points", "amount": 1}], **PAST
    )
    await stage.write("segment", "all", include=[{"field": "userId", "operator": "not_equals", "value": "nobody"}])
    score = {"score": {"metric": "points"}, "settleAfterMinutes": 0}
    await stage.write("competition", "cup", prizes=PRIZES, **score, **PAST)
    leagues = {"divisions": ["bronze", "silver"], "promote": 1, "relegate": 1}
    await stage.write("competition", "league", leagues=leagues, **score)
    await stage.write("product", "mug", sku="mug", type="merchandise")
    await stage.write("code_pool", "old", productId="mug", expiresAt="2026-01-01T00:00:00Z")
    await stage.fill("old", "CODE")
    assert await idempotency.begin(stage.pool, stage.org_id, "one", "credit", b"{}") is None
    await stage.fetch("UPDATE idempotency_keys SET begun_at = begun_at - interval '25 hours'")
    await stage.fetch(f"DROP TABLE {name_of('events', MONTH)}")
    hour = timedelta(hours=1)
    async with stage.pool.acquire() as connection:
        asked = RollbackScope("paid", clock.now() - hour, clock.now() + hour)
        await rollbacks.start(connection, stage.org_id, asked, "test")


async def undone(stage: Stage) -> set[str]:
    """The chores that have not done their work yet."""
    return {name for name, query in DONE.items() if not await stage.fetch(query)}


@asynccontextmanager
async def at_work(stage: Stage, monkeypatch, faults: dict):
    """A whole worker, with the pool of a real one, some of whose chores do something else."""
    pool = await create_pool(stage.url, size=POOL_SIZE, by_key=True)
    async with AsyncExitStack() as stack:  # all are opened now: one whose opening is cancelled leaves a socket behind
        for _ in range(POOL_SIZE):
            await stack.enter_async_context(pool.acquire())
    original = of_workers.chores_of_worker

    def with_faults(*given) -> list[Chore]:
        def fault(name):
            return lambda: faults[name](pool)

        return [
            Chore(chore.name, 0.05, fault(chore.name)) if chore.name in faults else chore for chore in original(*given)
        ]

    monkeypatch.setattr(of_workers, "chores_of_worker", with_faults)
    worker = Worker(pool, stage.url, stage.programmes, run_chores=of_workers.run_chores_of_worker)
    running = asyncio.create_task(worker.run())
    try:
        yield pool
    finally:
        worker.stop()
        await asyncio.wait_for(running, 10)  # also while a pass hangs
        assert pool.get_idle_size() == pool.get_size()  # whatever a pass had, it has given back
        await asyncio.wait_for(pool.close(), 10)


async def panics(_pool) -> bool:
    raise Panic


async def breaks(_pool) -> bool:
    raise LookupError


async def hangs(pool) -> bool:
    """Wait for a lock, with as many connections as a pass may have."""
    async with AsyncExitStack() as stack:
        _, second = [await stack.enter_async_context(pool.acquire()) for _ in range(2)]
        await second.execute("SELECT pg_advisory_lock($1)", LOCK)
    return False


def failures_of(name: str) -> float:
    return telemetry.chore_failures.labels(name)._value.get()


async def are_undone_only(stage, faults) -> bool:
    return not await undone(stage) > {*faults}


def run(staged, url, monkeypatch, faults, then=None):
    async def scenario():
        async with staged(url) as stage:
            await prepare(stage)
            assert await undone(stage) == {*DONE}
            holder = await connect(url)
            await holder.execute("SELECT pg_advisory_lock($1)", LOCK)
            try:
                async with at_work(stage, monkeypatch, faults):
                    await eventually_async(lambda: are_undone_only(stage, faults))
                    await stage.append(*(stage.arrival(f"user_{number}") for number in range(20)))  # and the lanes
                    await eventually_async(lambda: stage.fetch("SELECT FROM inbox"), [])
            finally:
                await holder.close()
            assert await undone(stage) == {*faults}

    asyncio.run(scenario())


def test_every_chore_is_seen_to_here():
    pool = programmes = cast(Any, None)
    assert {chore.name for chore in of_workers.chores_of_worker(pool, programmes)} == {*DONE}
    assert month_of(clock.now().date()) != MONTH


@pytest.mark.parametrize(("fault", "name"), [*product([breaks, hangs], DONE), (panics, "retention")])
def test_no_chore_keeps_another_from_its_work(staged, fresh_database, monkeypatch, name, fault):
    before = failures_of(name)
    with capture_logs() as logs:
        run(staged, fresh_database, monkeypatch, {name: fault})
    told = [line["chore"] for line in logs if line["event"] == "chore_failed"]
    if fault is hangs:
        assert told == []
    else:
        assert {*told} == {name}
        assert failures_of(name) - before == len(told)


def test_two_that_hang_leave_a_place_for_all_others(staged, fresh_database, monkeypatch):
    run(staged, fresh_database, monkeypatch, {"partitions": hangs, "fill_segments": hangs})


def test_the_pool_has_a_connection_left_when_all_wait_for_a_second_one():
    assert POOL_SIZE > LANES + 2 * of_workers.AT_ONCE


def test_a_chore_that_fails_is_tried_less_and_less_often_until_it_succeeds(monkeypatch):
    slept, calls = [], []

    async def sleep(seconds):
        slept.append(seconds)

    async def run_once() -> bool:
        calls.append(1)
        if len(calls) == 10:
            raise asyncio.CancelledError
        if len(calls) == 9:
            return False
        raise TimeoutError if len(calls) == 1 else LookupError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        asyncio.run(run_chores([Chore("count", 1.0, run_once)]))
    assert slept == [0, 1, 2, 4, 8, 16, 32, 60, 60, 1]
    # A statement behind a lock is a failure like any other: it is not taken for a database that is away.
    assert [line["chore"] for line in logs] == ["count"] * 8


def test_a_pass_with_more_to_do_is_followed_by_another_at_once():
    passes = []

    async def run_once() -> bool:
        passes.append(1)
        if len(passes) > 3:
            raise asyncio.CancelledError
        return True

    async def scenario():
        async with asyncio.timeout(10):
            await run_chores([Chore("count", 3_600.0, run_once)])

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())
    assert len(passes) == 4

"""The way of an event on the real server: once, in order, whole, and never more than there is."""

import asyncio
from typing import cast

import asyncpg
import pytest

from plaudit import clock
from plaudit.core import decide as core_advance
from plaudit.core import decide_one as core_decide
from plaudit.engine import inbox
from plaudit.engine import process as processing
from plaudit.engine import worker as working
from plaudit.engine.inbox import retry_failed
from plaudit.engine.inline import process_inline
from plaudit.engine.process import process
from plaudit.errors import Unavailable
from plaudit.storage.postgres import Pool
from tests.support.eventually import eventually_async
from tests.support.existing import existing

AWARD = [{"type": "award_product", "config": {"productId": "prod_1"}}]


def run(staged, url, scenario):
    async def main():
        async with staged(url) as stage:
            await scenario(stage)
            await stage.assert_invariants_hold()

    asyncio.run(main())


def test_an_event_becomes_points_once(staged, fresh_database):
    async def scenario(stage):
        await stage.pay()
        first, again = stage.arrival(key="order-1"), stage.arrival(key="order-1")
        assert len((await stage.append(first)).new) == 1
        assert not (await stage.append(again)).new
        await stage.drain()
        assert not (await stage.append(stage.arrival(key="order-1"))).new
        other = stage.arrival(key="order-1", amount=1)
        assert (await stage.append(other)).conflicting == {other.event_id}
        await stage.drain()
        assert await stage.points() == 10
        assert await stage.fetch("SELECT 1 FROM inbox") == []

    run(staged, fresh_database, scenario)


def test_split_batches_give_the_same_as_one(staged, fresh_database):
    async def scenario(stage):
        await stage.pay(limit={"perUser": 3})
        together = [stage.arrival(f"user_{i % 5}") for i in range(40)]
        programmes = {stage.org_id: await stage.program()}

        async def rows_of(*batches):
            async with stage.pool.acquire() as connection:
                undone = connection.transaction()
                await undone.start()
                at = clock.now()
                for batch in batches:
                    await process(connection, programmes, batch, at)
                rows = {
                    query: [tuple(row) for row in await connection.fetch(f"SELECT {query} ORDER BY 1, 2, 3")]
                    for query in (
                        "* FROM balances",
                        "* FROM progress",
                        "bucket, position, member_id, event_id FROM event_ids",
                        "bucket, position, ordinal, transaction_id, balance_after FROM transactions",
                    )
                }
                await undone.rollback()
            return {query: [tuple(map(str, row)) for row in value] for query, value in rows.items()}

        in_one = await rows_of(together)
        assert in_one == await rows_of(together[:1], together[1:17], together[17:18], together[18:])
        assert len(in_one["* FROM balances"]) == 5

    run(staged, fresh_database, scenario)


@pytest.mark.parametrize(("lanes", "by_hand"), [(1, False), (1, True), (3, True)])
def test_workers_and_inline_calls_race_for_scarce_things(staged, fresh_database, monkeypatch, lanes, by_hand):
    if lanes > 1:  # as many batches as can be, each broken off as often as can be
        monkeypatch.setattr(working, "BATCH_EVENTS_MAX", 4)
        monkeypatch.setattr(processing, "YIELD_EVERY_EVENTS", 2)

    async def scenario(stage):
        await stage.write("product", "prod_1", sku="P", type="merchandise", allocatedStock=7)
        await stage.write("code_pool", "pool_1", productId="prod_1")
        await stage.fill("pool_1", "A1", "A2", "A3")
        await stage.pay("camp_stock", effects=AWARD)
        await stage.pay("camp_cap", limit={"overall": 5})
        await stage.append(*(stage.arrival(f"user_{i % 6}") for i in range(40)))
        workers = [stage.worker(lanes), stage.worker(lanes)]
        for _ in range(3):
            for worker in workers:
                await worker.renew_leases()
        program = await stage.program()

        async def inline(i):
            await process_inline(stage.pool, program, stage.arrival(f"user_{i % 6}"), seconds=20)

        await asyncio.gather(*(worker.drain() for worker in workers), *(inline(i) for i in range(20 if by_hand else 0)))
        for worker in workers:
            await worker.release()
        states = dict(await stage.fetch("SELECT state, count(*) FROM codes GROUP BY state"))
        taken = dict(await stage.fetch("SELECT kind, quantity FROM claimed"))
        held = await stage.fetch("SELECT sum(quantity)::int AS n FROM holdings")
        paid = await stage.fetch("SELECT count(*)::int AS n FROM transactions")
        assert (states, taken) == ({"allocated": 3}, {"stock": 7, "cap": 5})
        assert (held[0]["n"], paid[0]["n"]) == (7, 5)

    run(staged, fresh_database, scenario)


def test_a_code_that_is_given_back_is_had_by_the_next(staged, fresh_database):
    """The last code is held by a transaction that fails: who waits for it gets it, and is not told that there is none."""

    async def scenario(stage):
        await stage.write("product", "prod_1", sku="P", type="badge")
        await stage.write("code_pool", "pool_1", productId="prod_1")
        await stage.fill("pool_1", "ONLY")
        await stage.pay(effects=AWARD)
        program = await stage.program()
        async with stage.pool.acquire() as first:
            undone = first.transaction()
            await undone.start()
            await process(first, {stage.org_id: program}, [stage.arrival("ann")], clock.now())
            second = asyncio.create_task(process_inline(stage.pool, program, stage.arrival("bob"), seconds=20))
            await eventually_async(lambda: stage.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"))
            await undone.rollback()
        outcome = existing(await second)
        assert list(outcome.processed.codes.values()) == ["ONLY"]

    run(staged, fresh_database, scenario)


def test_commits_of_two_writers_interleaved_by_hand_lose_nothing(staged, fresh_database):
    """A begins, B begins with a higher inbox id, B commits, a worker passes, A commits: A's event is decided all the same."""

    async def scenario(stage):
        await stage.pay()
        async with stage.pool.acquire() as a:
            slow = a.transaction()
            await slow.start()
            from plaudit.engine import inbox

            await inbox.append(a, [stage.arrival("ann")])
            await stage.append(stage.arrival("ann"))
            await stage.drain()
            assert await stage.points() == 10
            await slow.commit()
        await stage.drain()
        assert await stage.points() == 20

    run(staged, fresh_database, scenario)


def test_an_action_that_took_too_long_inline_and_went_into_the_inbox_counts_once(staged, fresh_database):
    async def scenario(stage):
        await stage.pay()
        arrival = stage.arrival()  # its sender has no name for it
        await stage.append(arrival, stage.arrival(), stage.arrival("bob"))
        await process_inline(stage.pool, await stage.program(), arrival, seconds=30)
        await asyncio.wait_for(stage.drain(), 30)
        assert (await stage.points(), await stage.points("bob")) == (20, 10)
        assert await stage.fetch("SELECT FROM inbox UNION ALL SELECT FROM failed_events") == []

    run(staged, fresh_database, scenario)


def test_a_worker_that_has_lost_a_lane_ends_and_lets_go(staged, fresh_database, monkeypatch):
    async def cancelled(*_):
        raise asyncio.CancelledError

    async def scenario(stage):
        worker = stage.worker()
        monkeypatch.setattr(worker, "run_once", cancelled)
        with pytest.raises(RuntimeError):
            await asyncio.wait_for(worker.run(), 10)
        assert await stage.fetch("SELECT FROM leases WHERE worker_id IS NOT NULL") == []

    run(staged, fresh_database, scenario)


def test_no_bucket_waits_for_another_to_be_empty(staged, fresh_database, monkeypatch):
    monkeypatch.setattr(working, "BATCH_EVENTS_MAX", 2)

    async def scenario(stage):
        await stage.pay()
        by_bucket = {arrival.bucket: arrival for arrival in (stage.arrival(f"user_{n}") for n in range(20))}
        busy, *others = [by_bucket[bucket] for bucket in sorted(by_bucket)[:3]]
        await stage.append(*[stage.arrival(busy.user_id) for _ in range(20)], *others)
        worker = stage.worker()
        await worker.renew_leases()
        for _ in range(3):
            await worker.run_once()
        assert [await stage.points(arrival.user_id) for arrival in others] == [10, 10]
        assert await stage.points(busy.user_id) < 200
        await worker.drain()
        await worker.release()

    run(staged, fresh_database, scenario)


def test_what_the_server_does_not_take_is_refused_rather_than_held(staged, fresh_database, monkeypatch):
    monkeypatch.setattr(inbox, "QUEUED_ARRIVALS_MAX", 3)

    async def scenario(stage):
        pool = await asyncpg.create_pool(fresh_database, min_size=1, max_size=1)
        door = inbox.Inbox(pool)
        async with pool.acquire():  # the server is busy: what comes now waits
            kept = [asyncio.create_task(door.append([stage.arrival()])) for _ in range(3)]
            await eventually_async(lambda: door._senders and not door._waiting)
            with pytest.raises(Unavailable):
                await door.append([stage.arrival() for _ in range(4)])
        await asyncio.gather(*kept)
        await door.append([stage.arrival() for _ in range(3)])
        await pool.close()
        assert len(await stage.fetch("SELECT FROM inbox")) == 6

    run(staged, fresh_database, scenario)


def test_a_worker_that_got_no_connection_goes_on_where_it_was(staged, fresh_database):
    class Gone:
        """A pool whose server is away for a moment."""

        def __init__(self, pool):
            self.pool, self.away = pool, False

        def acquire(self):
            if self.away:
                raise ConnectionRefusedError
            return self.pool.acquire()

    async def scenario(stage):
        await stage.pay()
        await stage.append(stage.arrival())
        pool = Gone(stage.pool)
        worker = working.Worker(cast("Pool", pool), stage.url, stage.programmes, lanes=1)
        await worker.renew_leases()
        pool.away = True
        with pytest.raises(ConnectionRefusedError):
            await worker.run_once()
        pool.away = False
        assert await worker.drain() == 1
        await worker.release()

    run(staged, fresh_database, scenario)


def test_a_poison_event_is_set_aside_and_blocks_nobody(staged, fresh_database, monkeypatch):
    async def scenario(stage):
        await stage.pay()
        poison, good = stage.arrival("ann", poison=True), stage.arrival("bob")

        def decide(program, member, event, refused):
            if event.data.get("poison"):
                raise ZeroDivisionError("a mistake of ours")
            return core_decide.decide_one(program, member, event, refused)

        monkeypatch.setattr(core_advance, "decide_one", decide)
        await stage.append(poison, good)
        await stage.drain()
        (failed,) = await stage.fetch("SELECT event_id, error FROM failed_events")
        assert failed["event_id"] == poison.event_id
        assert "a mistake of ours" in failed["error"]
        assert (await stage.points("bob"), await stage.points("ann")) == (10, 0)
        monkeypatch.undo()
        async with stage.pool.acquire() as connection:
            assert await retry_failed(connection, stage.org_id, poison.event_id)
        await stage.drain()
        assert await stage.points("ann") == 10
        assert await stage.fetch("SELECT 1 FROM failed_events") == []

    run(staged, fresh_database, scenario)


def test_what_cannot_be_written_is_found_by_halving(staged, fresh_database, monkeypatch):
    async def scenario(stage):
        await stage.pay()
        arrivals = [stage.arrival(f"user_{i}") for i in range(9)]
        commit = processing.commit

        async def commit_or_raise(connection, batch, rows, at):
            await commit(connection, batch, rows, at)
            if any(arrival.user_id == "user_3" for arrival in batch.arrivals):
                raise asyncpg.DataError("cannot be written")

        monkeypatch.setattr(processing, "commit", commit_or_raise)
        await stage.append(*arrivals)
        await stage.drain()
        assert [row["user_id"] for row in await stage.fetch("SELECT user_id FROM failed_events")] == ["user_3"]
        assert len(await stage.fetch("SELECT 1 FROM events")) == 8

    run(staged, fresh_database, scenario)

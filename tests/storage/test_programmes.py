"""Changes of a programme: in force for every event that is sent after their responses were sent, in every process."""

import asyncio

from plaudit.engine.worker import Worker
from plaudit.storage.programmes import Programmes


def test_a_worker_that_has_not_been_notified_decides_by_the_programme_as_it_is(staged, fresh_database):
    async def play():
        async with staged(fresh_database) as stage:
            await stage.pay(effects=[{"type": "add_points", "config": {"amount": 10}}])
            elsewhere = Programmes(stage.pool, stage.url)  # of another process, to which no notification comes
            await elsewhere.current(stage.org_id)
            await stage.change("campaign", "camp_1", effects=[{"type": "add_points", "config": {"amount": 25}}])
            await stage.append(stage.arrival())
            worker = Worker(stage.pool, stage.url, elsewhere, lanes=1)
            await worker.renew_leases()
            await worker.drain()
            await worker.release()
            assert await stage.points() == 25
            (row,) = await stage.fetch("SELECT program_version FROM events WHERE org_id = $1", stage.org_id)
            assert row["program_version"] == (await stage.program()).version

    asyncio.run(play())


def test_a_call_that_is_decided_inline_asks_for_the_programme_as_it_is(staged, fresh_database):
    async def play():
        async with staged(fresh_database) as stage:
            await stage.pay()
            elsewhere = Programmes(stage.pool, stage.url)
            before = (await elsewhere.cached(stage.org_id)).compiled
            assert (await elsewhere.cached(stage.org_id)).compiled is before
            await stage.change("campaign", "camp_1", status="paused")
            assert (await elsewhere.current(stage.org_id)).compiled is before
            assert (await elsewhere.cached(stage.org_id)).compiled.version == before.version + 1

    asyncio.run(play())

"""A simulation of the programme as it was gives what was: over streaks, ladders, segments, codes and caps."""

import asyncio
import random
from datetime import timedelta

from plaudit import clock
from plaudit.core.cause import campaign_cause
from plaudit.history.simulate import simulate


def test_the_programme_as_it_is_gives_what_was(staged, fresh_database):
    async def main():
        async with staged(fresh_database) as stage:
            await stage.write("product", "prod_1", sku="P", type="merchandise", allocatedStock=9)
            await stage.write("code_pool", "pool_1", productId="prod_1")
            await stage.fill("pool_1", *(f"A{i}" for i in range(6)))
            award = [{"type": "award_product", "config": {"productId": "prod_1"}}]
            await stage.pay("camp_stock", effects=award)
            await stage.pay("camp_cap", limit={"overall": 11, "perUser": 3})
            await stage.write("streak", "daily", triggers=[{"type": "purchase"}])
            rungs = [{"rungId": f"r{n}", "name": "R", "threshold": 20 * n} for n in range(4)]
            await stage.write("ladder", "club", metric="points", rungs=rungs)
            criterion = {"field": "points", "operator": ">=", "value": 20}
            await stage.write("segment", "rich", include=[criterion])
            await stage.pay("camp_rich", trigger="segment.entered")
            chance = random.Random(3)
            for _ in range(4):
                await stage.append(*(stage.arrival(f"user_{chance.randrange(7)}") for _ in range(20)))
                await stage.drain()
            async with stage.pool.acquire() as connection:
                programme = await stage.programmes.current(stage.org_id)
                async for simulation in simulate(connection, programme, clock.now() - timedelta(days=1)):
                    found = simulation
            assert found.events == 80
            assert found.cases == []
            assert found.actual == found.simulated
            assert found.actual[campaign_cause("camp_stock")].products == 9
            assert found.actual[campaign_cause("camp_cap")].refusals["limit_overall_reached"] > 0

    asyncio.run(main())

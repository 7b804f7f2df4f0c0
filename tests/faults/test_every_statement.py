"""`process` fails after each of its statements in turn; run again, the rows are those of an undisturbed run."""

import asyncio
from contextlib import asynccontextmanager
from typing import cast

from msgspec import structs

from plaudit import clock
from plaudit.core.event import MERGE
from plaudit.engine.inline import process_inline
from plaudit.engine.process import process
from plaudit.storage.postgres import Connection, Pool

TABLES = ("balances", "progress", "holdings", "coupons", "positions", "claimed", "notifications", "members")


class LostConnectionError(Exception):
    """The server is gone."""


class Failing:
    """A connection that is lost after so many statements."""

    def __init__(self, connection, survives: int) -> None:
        self._connection = connection
        self._left = survives
        self.calls = 0

    def __getattr__(self, name):
        method = getattr(self._connection, name)
        if name not in ("execute", "fetch", "fetchrow", "fetchval", "copy_records_to_table"):
            return method

        async def counted(*args, **kwargs):
            result = await method(*args, **kwargs)
            self.calls += 1
            self._left -= 1
            if self._left == 0:
                raise LostConnectionError
            return result

        return counted


def test_a_failure_after_any_statement_changes_nothing(staged, fresh_database):
    async def main():
        async with staged(fresh_database) as stage:
            await stage.write("product", "prod_1", sku="P", type="badge", allocatedStock=2)
            await stage.write("code_pool", "pool_1", productId="prod_1")
            await stage.fill("pool_1", "A1", "A2")
            effects = [
                {"type": "add_points", "config": {"amount": 10}},
                {"type": "award_product", "config": {"productId": "prod_1"}},
                {"type": "notify", "config": {"message": "Hello"}},
            ]
            await stage.pay(effects=effects, limit={"overall": 3})
            arrivals = [stage.arrival(user) for user in ("ann", "bob", "cy", "ann")]
            await stage.append(*arrivals)
            waiting = await stage.fetch("SELECT * FROM inbox ORDER BY inbox_id")
            batch = [type(arrivals[0])(**row) for row in waiting]
            programmes = {stage.org_id: await stage.program()}
            at = clock.now()

            async def rows(connection):
                # A number that was drawn for what was taken back is not drawn again: what counts is the order.
                return {
                    table: sorted(
                        repr([(name, value) for name, value in row.items() if name != "sequence"])
                        for row in await connection.fetch(f"SELECT * FROM {table}")
                    )
                    for table in (*TABLES, "transactions")
                }

            async with stage.pool.acquire() as connection:
                undisturbed = connection.transaction()
                await undisturbed.start()
                counting = Failing(connection, 10_000)
                await process(cast("Connection", counting), programmes, batch, at)
                expected = await rows(connection)
                await undisturbed.rollback()
                before = await rows(connection)
                assert counting.calls > 12
                for survives in range(1, counting.calls + 1):
                    try:
                        await process(cast("Connection", Failing(connection, survives)), programmes, batch, at)
                    except LostConnectionError:
                        assert await rows(connection) == before, f"after statement {survives}"
                        assert len(await connection.fetch("SELECT 1 FROM inbox")) == len(batch)
                    else:
                        raise AssertionError("the failure was swallowed")
                await process(connection, programmes, batch, at)
                assert await rows(connection) == expected
            await stage.assert_invariants_hold()

    asyncio.run(main())


def test_a_failure_after_any_statement_of_a_merge_leaves_two_members(staged, fresh_database):
    async def main():
        async with staged(fresh_database) as stage:
            effects = [{"type": "add_points", "config": {"amount": 10}}]
            await stage.pay(effects=effects)
            await stage.append(stage.arrival("guest"), stage.arrival("ann"))
            await stage.drain()
            program = await stage.program()
            merging = structs.replace(stage.arrival("guest", trigger=MERGE, into="ann"), kind=MERGE)
            into = stage.arrival("ann").bucket

            async def rows():
                tables = (*TABLES, "transactions", "inbox")
                return [sorted(map(repr, await stage.fetch(f"SELECT * FROM {table}"))) for table in tables]

            class FailingPool:
                def __init__(self, survives: int) -> None:
                    self.survives = survives

                @asynccontextmanager
                async def acquire(self):
                    async with stage.pool.acquire() as connection:
                        yield Failing(connection, self.survives)

            before = await rows()
            for survives in range(1, 1_000):
                try:
                    await process_inline(
                        cast("Pool", FailingPool(survives)), program, merging, seconds=60, whole=True, through=[into]
                    )
                except LostConnectionError:
                    assert await rows() == before
                else:
                    break
            assert survives > 20
            assert [await stage.points(user) for user in ("guest", "ann")] == [0, 20]
            await stage.assert_invariants_hold()

    asyncio.run(main())

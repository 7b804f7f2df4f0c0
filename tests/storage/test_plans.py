"""Plans are kept for as long as a connection: one made while a table was empty must do for a full one."""

import asyncio

import pytest

from plaudit.engine.inbox import SQL
from plaudit.storage.postgres import create_pool


@pytest.mark.parametrize("name", ["append", "take_back_decided", "peek", "remove"])
def test_an_inbox_that_was_empty_is_not_scanned_for_ever(fresh_database, name):
    async def planned() -> str:
        pool = await create_pool(fresh_database, size=1, by_key=True)
        async with pool.acquire() as connection:
            await connection.execute("VACUUM ANALYZE inbox, event_ids")
            query = SQL.by_name[name]
            parameters = len((await connection.prepare(query)).get_parameters())
            await connection.execute(f"PREPARE looked_at AS {query}")
            rows = await connection.fetch(f"EXPLAIN EXECUTE looked_at ({', '.join(['NULL'] * parameters)})")
        await pool.close()
        return "\n".join(row[0] for row in rows)

    plan = asyncio.run(planned())
    assert "Join Filter" not in plan, plan
    assert "hashed" not in plan, plan
    assert plan.count("Scan using") == plan.count("Index Cond"), plan

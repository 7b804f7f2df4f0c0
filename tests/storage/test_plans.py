"""Plans are kept for as long as a connection: one made while a table was empty must do for a full one."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from plaudit.engine import inbox
from plaudit.reads import codes
from plaudit.storage.postgres import create_pool
from plaudit.storage.queries import queries_beside


@pytest.mark.parametrize("name", ["append", "remove_decided", "peek", "remove"])
def test_an_inbox_that_was_empty_is_not_scanned_for_ever(fresh_database, name):
    async def planned() -> str:
        pool = await create_pool(fresh_database, size=1, by_key=True)
        async with pool.acquire() as connection:
            await connection.execute("VACUUM ANALYZE inbox, event_ids")
            query = queries_beside(inbox.__file__).by_name[name]
            parameters = len((await connection.prepare(query)).get_parameters())
            await connection.execute(f"PREPARE looked_at AS {query}")
            rows = await connection.fetch(f"EXPLAIN EXECUTE looked_at ({', '.join(['NULL'] * parameters)})")
        await pool.close()
        return "\n".join(row[0] for row in rows)

    plan = asyncio.run(planned())
    assert "Join Filter" not in plan, plan
    assert "hashed" not in plan, plan
    assert plan.count("Scan using") == plan.count("Index Cond"), plan


def test_a_code_is_found_by_an_index_in_whichever_case_it_is_typed(fresh_database):
    async def planned() -> str:
        connection = await asyncpg.connect(fresh_database)
        await connection.execute(f"PREPARE looked_up AS {queries_beside(codes.__file__).ignoring_case}")
        await connection.execute("SET enable_seqscan = off")
        rows = await connection.fetch(f"EXPLAIN EXECUTE looked_up ('{uuid4()}', 'pool', 'a1')")
        await connection.close()
        return "\n".join(row[0] for row in rows)

    plan = asyncio.run(planned())
    assert "codes_but_for_case" in plan, plan
    assert "lower(code) = 'a1'" in plan.partition("codes_but_for_case")[2], plan

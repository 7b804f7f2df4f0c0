"""Rows that have served their time are deleted, in small batches; those that have not stay."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from sqlalchemy.ext.asyncio import create_async_engine

from plaudit import clock
from plaudit.api.http import idempotency
from plaudit.api.http.rate_limits import Policy, RateLimits
from plaudit.chores import retention
from plaudit.errors import RateLimited
from plaudit.storage import migrate
from tests.support.eventually import eventually_async

ORG = UUID(int=7)
ROWS = 2 * retention.BATCH_ROWS + 100


async def count(connection, table: str) -> int:
    return await connection.fetchval(f"SELECT count(*) FROM {table}")


async def fill(connection, now) -> None:
    """More rows than two batches whose time is over in each table, and a few whose time is not."""
    day, month = timedelta(days=1), timedelta(days=retention.JOBS_DAYS)
    for name, number, at in (("old", ROWS, now - day), ("new", 5, now - day + timedelta(minutes=5))):
        await connection.execute(
            "INSERT INTO idempotency_keys (org_id, key, fingerprint, begun_at, status, content)"
            " SELECT $1, $2 || n, '', $3, 201, '{}' FROM generate_series(1, $4) AS n",
            ORG, name, at - timedelta(seconds=1), number,
        )  # fmt: skip
    for name, number, at in (("member:old", ROWS, now - timedelta(hours=2)), ("member:new", 5, now)):
        await connection.execute(
            "INSERT INTO rate_windows (key, ends_at, used) SELECT $1 || n, $2, 1 FROM generate_series(1, $3) AS n",
            name, at, number,
        )  # fmt: skip
    for lines, at in ((ROWS, now - month - day), (3, now - month + day)):
        job = uuid4()
        await connection.execute(
            "INSERT INTO jobs (job_id, org_id, kind, state, begun_at, begun_by, moved_at)"
            " VALUES ($1, $2, 'import', 'finished', $3, 'key:first', $3)",
            job, ORG, at,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO job_errors SELECT $1, n, 'must be (got ann@example.com)', '[]' FROM generate_series(1, $2) AS n",
            job, lines,
        )  # fmt: skip
    for kid, retired_at in (("signs", None), ("verifies", now + day), ("over", now - 2 * day)):
        await connection.execute("INSERT INTO signing_keys VALUES ($1, 'pem', $2, $3)", kid, now - 3 * day, retired_at)
    await connection.execute("INSERT INTO watches VALUES (1, $1), (2, $2)", now - 2 * day, now)
    for state, at, number in (("finished", now, ROWS), ("running", now, 4), ("failed", now - 2 * day, 3)):
        job = uuid4()
        await connection.execute(
            "INSERT INTO jobs (job_id, org_id, kind, state, begun_at, begun_by, moved_at)"
            " VALUES ($1, $2, 'events', $3, $4, 'key:first', $4)",
            job, ORG, state, at,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO importing_members SELECT 1, gen_random_uuid(), $1 FROM generate_series(1, $2)", job, number
        )


def test_rows_whose_time_is_over_are_deleted_and_the_others_stay(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage:
            now = clock.now()
            async with stage.pool.acquire() as connection:
                await fill(connection, now)
                # What a request is claiming again right now is passed over, and nothing waits for it.
                claiming = await asyncpg.connect(fresh_database)
                transaction = claiming.transaction()
                await transaction.start()
                await claiming.execute("UPDATE idempotency_keys SET begun_at = $1 WHERE key = 'old1'", now)
            await retention.clear(stage.pool, now)
            await transaction.commit()
            await claiming.close()
            async with stage.pool.acquire() as connection:
                keys = await connection.fetch("SELECT key FROM idempotency_keys ORDER BY key")
                assert [row["key"] for row in keys] == [*(f"new{n}" for n in range(1, 6)), "old1"]
                assert {row["key"][:10] for row in await connection.fetch("SELECT key FROM rate_windows")} == {
                    "member:new"
                }
                assert (await count(connection, "jobs"), await count(connection, "job_errors")) == (4, 3)
                assert await count(connection, "importing_members") == 4  # of the job that runs
                kids = await connection.fetch("SELECT kid FROM signing_keys ORDER BY kid")
                assert [row["kid"] for row in kids] == ["signs", "verifies"]
                assert await count(connection, "watches") == 1
            assert await retention.clear(stage.pool, now) == 0

    asyncio.run(scenario())


def test_a_window_that_is_being_spent_is_not_forgotten(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage:
            policy = Policy("test", 5, 3_600)
            for _ in range(5):
                await RateLimits(stage.pool).spend(policy, "ann")
                await retention.clear(stage.pool, clock.now())
            with pytest.raises(RateLimited):
                await RateLimits(stage.pool).spend(policy, "ann")

    asyncio.run(scenario())


def test_a_worker_clears_by_itself(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage:
            assert await idempotency.begin(stage.pool, stage.org_id, "one", "credit", b"{}") is None
            await stage.fetch("UPDATE idempotency_keys SET begun_at = begun_at - interval '25 hours'")
            worker = stage.worker()
            running = asyncio.create_task(worker.run())
            try:
                await eventually_async(lambda: stage.fetch("SELECT FROM idempotency_keys"), [])
            finally:
                worker.stop()
                await running

    asyncio.run(scenario())


def test_an_upgrade_deletes_the_secrets_that_were_kept(server):
    """They were kept in clear text before: keys and signing secrets in responses to requests with an Idempotency-Key."""

    async def scenario():
        admin = await asyncpg.connect(server)
        await admin.execute("CREATE DATABASE before_secrets")
        await admin.close()
        url = server.replace("/plaudit?", "/before_secrets?")
        engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url))

        def upgrade(connection):
            config = migrate._config()
            config.attributes["connection"] = connection
            command.upgrade(config, "20261121_1100")

        async with engine.connect() as connection:
            await connection.run_sync(upgrade)
            await connection.commit()
        await engine.dispose()
        connection = await asyncpg.connect(url)
        for key, content in {
            "key": b'{"success":true,"data":{"keyId":"key_1","name":"x","apiSecret":"abc"}}',
            "rotated": b'{"message":"OK","data":{"webhookId":"wh_1","secret":"whsec_abc"}}',
            "product": b'{"success":true,"data":{"productId":"secret","name":"The \\"secret\\" cup"}}',
        }.items():
            await connection.execute(
                "INSERT INTO idempotency_keys (org_id, key, fingerprint, begun_at, status, content)"
                " VALUES ($1, $2, '', now(), 201, $3)",
                ORG, key, content,
            )  # fmt: skip
        await migrate.migrate(url)
        assert [row["key"] for row in await connection.fetch("SELECT key FROM idempotency_keys")] == ["product"]
        await connection.close()

    asyncio.run(scenario())

"""Months are made before they are needed; what fell into none is moved into its own, and seen until then."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from plaudit import clock
from plaudit.reads import health
from plaudit.reads.gauges import current_gauges
from plaudit.storage import months
from plaudit.storage.embedded import running_url
from plaudit.storage.months import MONTHLY, MonthsNotMadeError, ensure_months, month_of, months_from, name_of
from plaudit.storage.postgres import connect, trouble_seconds
from tests.support.existing import existing

FAR = date(2031, 5, 17)  # its months are not there: those of the templates are of today


async def book(stage, *users: str) -> None:
    """Decide and book an event for each of these members."""
    if not await stage.fetch("SELECT FROM documents WHERE org_id = $1 AND kind = 'campaign'", stage.org_id):
        await stage.pay()
    await stage.append(*[stage.arrival(user) for user in users])
    await stage.drain()


async def decided_on(stage, monkeypatch, at: datetime, *users: str) -> None:
    """Let a clock that says `at` decide."""
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: at)
        await book(stage, *users)


async def kept_in(stage, table: str) -> dict[str, int]:
    rows = await stage.fetch(f"SELECT tableoid::regclass::text AS name, count(*) FROM {table} GROUP BY 1")
    return {row["name"]: row["count"] for row in rows}


async def tables_with_rest(stage) -> dict[str, str]:
    rows = await stage.fetch(
        "SELECT partrelid::regclass::text AS name, attname FROM pg_partitioned_table"
        " JOIN pg_attribute ON attrelid = partrelid AND attnum = partattrs[0] WHERE partdefid <> 0"
    )
    return {row["name"]: row["attname"] for row in rows}


def at_noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def test_every_table_that_has_a_rest_is_seen_to(fresh_database, staged):
    async def scenario():
        async with staged(fresh_database) as stage:
            assert await tables_with_rest(stage) == MONTHLY

    asyncio.run(scenario())


def test_rows_in_no_month_are_moved_into_theirs_and_warned_of_until_then(fresh_database, staged, monkeypatch):
    long_ago = date(1999, 2, 3)

    async def scenario():
        async with staged(fresh_database) as stage:
            await book(stage, "now")
            await decided_on(stage, monkeypatch, at_noon(FAR), "ann", "bob")
            await decided_on(stage, monkeypatch, at_noon(long_ago), "cid")
            async with stage.pool.acquire() as connection:
                warned = await health.warnings(connection)
                assert [notice.code for notice in warned] == ["rows_outside_months", "rows_outside_months"]
                gauges = await current_gauges(connection, by_org=False)
                for table in ("events", "transactions"):
                    assert f'plaudit_rows_outside_months{{table="{table}"}} 3' in gauges
                    assert f'plaudit_months_ahead{{table="{table}"}} 3' in gauges
                await ensure_months(connection, FAR)
                assert await health.warnings(connection) == []
            for table in MONTHLY:
                kept = await kept_in(stage, table)
                this_month = f"{table}_{clock.now():%Y_%m}"
                assert kept == {f"{table}_2031_05": 2, f"{table}_1999_02": 1, this_month: 1}
            await decided_on(stage, monkeypatch, at_noon(date(2031, 8, 1)), "dan")
            assert (await kept_in(stage, "events"))["events_2031_08"] == 1  # the months ahead are there as well
            await stage.assert_invariants_hold()
            rest = await stage.fetch("SELECT obj_description('events_2031_05'::regclass) AS said")
            assert rest[0]["said"] == "The 2031-05 of events."

    asyncio.run(scenario())


def test_a_month_has_all_that_the_others_have(fresh_database, staged, monkeypatch):
    shape = """
        SELECT 'column ' || attname || ' ' || format_type(atttypid, atttypmod) || attnotnull::text AS line FROM pg_attribute
        WHERE attrelid = $1::text::regclass AND attnum > 0
        UNION ALL SELECT 'constraint ' || contype::text || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = $1::text::regclass AND contype <> 'n'
        UNION ALL SELECT 'index ' || replace(replace(pg_get_indexdef(indexrelid), relname, ''), $1, '')
        FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = $1::text::regclass ORDER BY 1
    """

    async def scenario():
        async with staged(fresh_database) as stage:
            await decided_on(stage, monkeypatch, at_noon(FAR), "ann")
            async with stage.pool.acquire() as connection:
                await ensure_months(connection, FAR)
            for table in MONTHLY:
                made, plain = f"{table}_2031_05", f"{table}_plain"
                await stage.fetch(
                    f"CREATE TABLE {plain} PARTITION OF {table} FOR VALUES FROM ('2001-01-01') TO ('2001-02-01')"
                )
                assert await stage.fetch(shape, made) == await stage.fetch(shape, plain)

    asyncio.run(scenario())


def test_very_many_rows_are_not_moved_but_become_their_month(fresh_database, staged, monkeypatch):
    monkeypatch.setattr(months, "ROWS_MOVED_MAX", 2)

    async def scenario():
        async with staged(fresh_database) as stage:
            await decided_on(stage, monkeypatch, at_noon(FAR), "ann", "bob")
            await decided_on(stage, monkeypatch, at_noon(FAR + timedelta(days=31)), "cid")
            (before,) = await stage.fetch("SELECT pg_relation_filenode('events_rest') AS node")
            async with stage.pool.acquire() as connection:
                await ensure_months(connection, FAR)
                await ensure_months(connection, FAR)  # nothing is left to do
                assert await health.warnings(connection) == []
            (after,) = await stage.fetch("SELECT pg_relation_filenode('events_2031_05') AS node")
            assert before["node"] == after["node"]
            assert await kept_in(stage, "events") == {"events_2031_05": 3}
            await decided_on(stage, monkeypatch, at_noon(date(2031, 7, 1)), "dan")
            await decided_on(stage, monkeypatch, at_noon(date(2031, 6, 30)), "eve")
            await decided_on(stage, monkeypatch, at_noon(date(2041, 6, 30)), "fay")
            assert await kept_in(stage, "events") == {"events_2031_05": 4, "events_2031_07": 1, "events_rest": 1}
            await stage.assert_invariants_hold()

    asyncio.run(scenario())


def test_one_month_that_cannot_be_made_holds_up_no_other(fresh_database, staged):
    async def scenario():
        async with staged(fresh_database) as stage:
            # Detached to be archived, and left under its name.
            await stage.fetch("CREATE TABLE events_2031_06 (LIKE events)")
            async with stage.pool.acquire() as connection:
                with pytest.raises(MonthsNotMadeError, match=r"events_2031_06.*already exists"):
                    await ensure_months(connection, FAR)
            rows = await stage.fetch(
                "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhrelid NOT IN (SELECT indexrelid FROM pg_index)"
            )
            made = {row["name"] for row in rows if "2031" in row["name"]}
            assert made == {
                "events_2031_05", "events_2031_07", "events_2031_08",
                "transactions_2031_05", "transactions_2031_06", "transactions_2031_07", "transactions_2031_08",
            }  # fmt: skip

    asyncio.run(scenario())


def test_rows_are_moved_while_a_worker_writes_more_of_them(fresh_database, staged, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: at_noon(FAR))

    async def scenario():
        async with staged(fresh_database) as stage:
            await book(stage, "ann")
            for turn in range(10):
                await stage.append(*[stage.arrival(f"{turn}-{n}") for n in range(40)])

            async def keep_months():
                connection = await connect(fresh_database)
                try:
                    await ensure_months(connection, FAR)
                finally:
                    await connection.close()

            await asyncio.gather(stage.drain(), keep_months())
            await book(stage, "bob")
            assert sum((await kept_in(stage, "events")).values()) == 402
            async with stage.pool.acquire() as connection:
                await ensure_months(connection, FAR)
                assert await health.warnings(connection) == []
            assert await kept_in(stage, "events") == {"events_2031_05": 402}
            await stage.assert_invariants_hold()

    asyncio.run(scenario())


@pytest.mark.parametrize("occurred_at", [datetime(1971, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)])
def test_what_is_told_of_other_times_is_kept_in_the_month_that_it_was_decided_in(fresh_database, staged, occurred_at):
    async def scenario():
        async with staged(fresh_database) as stage:
            await stage.pay()
            told = stage.arrival("ann")
            told = type(told)(
                **{name: getattr(told, name) for name in told.__struct_fields__} | {"occurred_at": occurred_at}
            )
            await stage.append(told)
            await stage.drain()
            assert await kept_in(stage, "events") == {f"events_{clock.now():%Y_%m}": 1}

    asyncio.run(scenario())


def test_the_month_of_december_ends_with_the_year():
    assert month_of(date(2030, 12, 31)) == months.Range(date(2030, 12, 1), date(2031, 1, 1))


def test_the_server_warns_of_what_lies_outside_without_being_down(own_server):
    server = own_server("--no-demo").start()
    url = existing(running_url(server.folder / "postgres"))

    async def let_go():
        connection = await connect(url)
        for month in list(months_from(clock.now().date()))[1:]:
            await connection.execute(f"DROP TABLE {name_of('events', month)}")
        await connection.close()

    assert httpx.get(f"{server.url}/readyz").json()["warnings"] == []
    asyncio.run(let_go())
    response = httpx.get(f"{server.url}/readyz")
    assert response.status_code == 200
    assert response.json()["warnings"] == [
        {"code": "month_missing", "message": "events has no partition for the next month"}
    ]
    counted = httpx.get(f"{server.url}/metrics").text.splitlines()
    assert 'plaudit_months_ahead{table="events"} 0' in counted
    assert 'plaudit_rows_outside_months{table="transactions"} 0' in counted


def test_what_fails_again_and_again_is_tried_less_often_up_to_its_own_pace():
    waits = [trouble_seconds(failures, every=6 * 3_600) for failures in (0, 1, 5, 9, 10, 10_000)]
    assert waits == [1, 2, 32, 512, 600, 600]
    assert [trouble_seconds(failures, every=1) for failures in (0, 1, 9)] == [1, 1, 1]
    assert [trouble_seconds(failures, every=1, trouble_max=60) for failures in (0, 3, 6, 9)] == [1, 8, 60, 60]

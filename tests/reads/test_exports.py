"""Exports page by page: however long the pages are, every line comes once and in one order."""

import asyncio

import msgspec
import pytest

from plaudit.documents.export_lines import LINES, as_csv, as_ndjson, columns_of, header_of
from plaudit.engine.tables import EVENTS, TRANSACTIONS
from plaudit.imports import moving_members
from plaudit.imports.csv_records import CsvReader
from plaudit.reads import exports, organisation_lines


async def lines_of(stage, kind, cursor=None):
    async with stage.pool.acquire() as connection:
        place = None if cursor is None else await exports.place_of(connection, stage.org_id, kind, cursor)
    return [line async for page in exports.lines_after(stage.pool, stage.org_id, kind, place) for line in page]


async def live(stage):
    await stage.pay()
    await stage.pay("camp_2", effects=[{"type": "add_metric", "config": {"metric": "xp", "amount": 1}}])
    await stage.write("product", "off", sku="OFF", type="unique_code_pool")
    await stage.write("code_pool", "pool", productId="off")
    await stage.fill("pool", "C", "A", "B")
    for number in range(3):
        users = ("ann", "bob", "cat", "dan", "eve")[: 5 - number]
        await stage.append(*(stage.arrival(user, text='"a\r\n,b') for user in users))
        await stage.drain()
    await stage.change("settings", "settings", autoEnrol=False)
    await stage.append(*(stage.arrival(f"stranger {number % 2}") for number in range(5)))
    await stage.drain()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_of_any_length_give_the_same_lines(staged, database, monkeypatch, size):
    async def run():
        async with staged(database) as stage:
            await live(stage)
            whole = {kind: await lines_of(stage, kind) for kind in LINES}
            counts = {"events": 12 + 5, "transactions": 24, "members": 5, "organisation": 3}
            assert {kind: len(whole[kind]) for kind in counts} == counts
            for module in (exports, organisation_lines):
                monkeypatch.setattr(module, "ROWS_AT_ONCE", size)
            monkeypatch.setattr(exports, "MEMBERS_AT_ONCE", size + 1)
            monkeypatch.setattr(exports, "MEMBERS_WITH_HISTORY", size + 1)
            monkeypatch.setattr(exports, "LOG_ROWS_SCANNED", size)
            for kind, lines in whole.items():
                assert await lines_of(stage, kind) == lines
            for place, line in enumerate(whole["events"]):
                assert await lines_of(stage, "events", str(line.id)) == whole["events"][place + 1 :]
            for place, line in enumerate(whole["transactions"]):
                assert await lines_of(stage, "transactions", str(line.id)) == whole["transactions"][place + 1 :]

    asyncio.run(run())


def test_a_line_of_csv_says_what_the_line_of_json_says(staged, database):
    async def run():
        async with staged(database) as stage:
            await live(stage)
            for kind, of in LINES.items():
                columns = columns_of(kind)
                found = columns.of(header_of(kind).decode().strip().split(","))
                for line in await lines_of(stage, kind):
                    (row,) = as_csv(line).splitlines()
                    (record,) = CsvReader(",", len(found), 1).take([row], final=True)
                    again = columns.record(found, record.cells)
                    assert as_ndjson(msgspec.convert(again, of)) == as_ndjson(line)

    asyncio.run(run())


LEFT_OUT = {"consents": {"ordinal"}, "notifications": {"sequence"}}  # which are drawn anew, in the same order


@pytest.mark.parametrize("table", [*moving_members.tables(), EVENTS, TRANSACTIONS], ids=lambda table: table.name)
def test_every_column_of_a_member_moves(staged, database, table):
    async def run():
        async with staged(database) as stage:
            rows = await stage.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1",
                table.name,
            )
            assert {row["column_name"] for row in rows} - LEFT_OUT.get(table.name, set()) == set(table.names)

    asyncio.run(run())

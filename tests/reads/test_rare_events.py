"""Lists that are filtered look through a bounded part of the log or the ledger for each page, and go on from there."""

import asyncio
from datetime import UTC, datetime

import pytest

from plaudit.reads import events, transactions
from plaudit.reads.cause_filter import of_campaign

FIRST = (datetime(9000, 1, 1, tzinfo=UTC), 256, 2**62)
SEEN = 7  # rows for a page


@pytest.fixture
def logged(database, staged, monkeypatch):
    """Purchases of several members, and something rare at the very beginning."""
    monkeypatch.setattr(events, "SCANNED_ROWS_MAX", SEEN)
    monkeypatch.setattr(transactions, "SCANNED_ROWS_MAX", SEEN)

    def run(work):
        async def prepared():
            async with staged(database) as stage:
                await stage.pay("rare", trigger="visit")
                await stage.pay("common")
                await stage.append(stage.arrival("ann", "visit"))
                await stage.drain()
                for number in range(24):
                    await stage.append(stage.arrival(("ann", "bob", "cy")[number % 3]))
                await stage.drain()
                return await work(stage)

        return asyncio.run(prepared())

    return run


async def pages(read, first):
    """All that the pages of a list come to, and how many rows each has."""
    found, sizes, place = [], [], first
    while place is not None:
        rows, place = await read(place)
        found += rows
        sizes.append(len(rows))
    return found, sizes


@pytest.mark.parametrize(
    ("wanted", "triggers"),
    [
        ({"action": "visit"}, ["visit"]),
        ({"causes": of_campaign("rare")}, ["visit"]),
        ({"outcome": "refused"}, []),
        ({"outcome": "fired"}, ["purchase"] * 24 + ["visit"]),
        ({}, ["purchase"] * 24 + ["visit"]),
    ],
)
@pytest.mark.parametrize("user", [None, "ann"])
def test_a_page_of_events_looks_at_so_many_and_says_where_to_go_on(logged, wanted, triggers, user):
    async def work(stage):
        member_id = None if user is None else stage.arrival(user).member_id
        which = events.EventFilter(member_id=member_id, **wanted)
        async with stage.pool.acquire() as connection:
            return await pages(lambda place: events.page_of_log(connection, stage.org_id, place, which, 100), FIRST)

    found, sizes = logged(work)
    expected = triggers if user is None else triggers[: len(triggers) // 3] + triggers[-1:]
    assert [row["trigger"] for row in found] == expected
    assert max(sizes) <= SEEN
    assert len(sizes) == -(-(25 if user is None else 9) // SEEN)


def test_a_page_of_transactions_looks_at_so_many_and_says_where_to_go_on(logged):
    async def work(stage):
        which = transactions.TransactionFilter(causes=of_campaign("rare"))
        async with stage.pool.acquire() as connection:
            return await pages(
                lambda place: transactions.fetch_page(connection, stage.org_id, place, which, 100), (*FIRST, 0)
            )

    found, sizes = logged(work)
    assert ([row["cause_id"] for row in found], sizes) == (["rare"], [0, 0, 0, 1])

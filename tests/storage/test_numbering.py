"""Databases that numbered messages by their transactions: nothing that waits is lost, nothing is handed out twice."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from plaudit import clock
from plaudit.delivery.feed import messages_after, number_at
from plaudit.delivery.hand_out import buckets_with_news, hand_out
from plaudit.delivery.listeners import Listeners
from plaudit.storage.migrate import migrate
from plaudit.storage.schema import MIGRATIONS

BEFORE = "20261121_1100"
NOW = datetime.now(UTC)
MEMBER = uuid4()

# By name: the transaction, the order, and whether it is about a member. Handed out as far as (100, 15).
WRITTEN = {
    "first": (90, 13, True),
    "of_the_organisation": (95, 14, False),
    "last_handed": (100, 15, True),
    "waiting": (120, 16, True),
    "waiting_of_an_earlier_transaction": (110, 17, True),
    "since_the_move": (7, 18, True),  # in another cluster, whose transactions began anew
}


@pytest.fixture
def earlier_database(server, template):
    """A database as the version before left it."""

    async def made() -> str:
        name = f"earlier_{uuid4().hex[:12]}"
        admin = await asyncpg.connect(server.replace("/plaudit?", "/postgres?"))
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.close()
        url = server.replace("/plaudit?", f"/{name}?")
        connection = await asyncpg.connect(url)
        for path in sorted((MIGRATIONS / "versions").glob("*.sql")):
            if path.name[: len(BEFORE)] <= BEFORE:
                await connection.execute(path.read_text(encoding="utf-8"))
        await connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        await connection.execute("INSERT INTO alembic_version VALUES ($1)", BEFORE)
        await connection.close()
        return url

    return asyncio.run(made())


async def write_earlier(url: str, org_id: UUID) -> dict[UUID, str]:
    connection = await asyncpg.connect(url)
    names = {}
    for name, (xid, ordinal, of_member) in WRITTEN.items():
        message_id = uuid4()
        names[message_id] = name
        await connection.execute(
            "INSERT INTO outbox (xid, ordinal, message_id, org_id, member_id, type, payload, created_at)"
            " OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, 'transaction.created', '{\"data\": {}}', $6)",
            xid, ordinal, message_id, org_id, MEMBER if of_member else None, NOW,
        )  # fmt: skip
        if name in ("first", "last_handed"):
            state = "delivered" if name == "first" else "waiting"
            await connection.execute(
                "INSERT INTO deliveries (org_id, webhook_id, message_id, xid, ordinal, state, attempts, created_at,"
                " next_at) VALUES ($1, 'wh_1', $2, $3, $4, $5, 3, $6, $6)",
                org_id, message_id, xid, ordinal, state, NOW,
            )  # fmt: skip
    await connection.execute("UPDATE outbox_handed SET xid = 100, ordinal = 15")
    await connection.close()
    return names


def test_what_waits_is_handed_out_once_and_earlier_cursors_go_on(earlier_database, staged):
    async def scenario():
        async with staged(earlier_database) as stage:
            org_id = stage.org_id
            names = await write_earlier(earlier_database, org_id)
            await migrate(earlier_database)
            await stage.write("webhook", "wh_1", url="http://127.0.0.1:1/", events=["transaction.created"])
            async with stage.pool.acquire() as connection:
                waiting = await buckets_with_news(connection)
                handed, more = await hand_out(connection, Listeners(stage.programmes), waiting, clock.now())
                assert (handed, more, await buckets_with_news(connection)) == (3, set(), set())
                number = await number_at(connection, org_id, (100, 15))
                after = await messages_after(connection, org_id, number, None, 100)
                fed = await messages_after(connection, org_id, 0, None, 100)
                past = await number_at(connection, org_id, (10_000, 1))
            rows = await stage.fetch("SELECT message_id, state, attempts, number FROM deliveries ORDER BY number")
            return (
                names,
                rows,
                [message["message_id"] for message in after],
                [message["message_id"] for message in fed],
                past,
            )

    names, rows, after, fed, past = asyncio.run(scenario())
    assert [names[value] for value in fed] == [
        "first", "of_the_organisation", "last_handed", "waiting_of_an_earlier_transaction", "waiting", "since_the_move",
    ]  # fmt: skip
    assert [names[value] for value in after] == ["waiting_of_an_earlier_transaction", "waiting", "since_the_move"]
    assert past == 5  # all but what was written since the move, which no reader has seen
    assert [(names[row["message_id"]], row["state"], row["attempts"], row["number"]) for row in rows] == [
        ("first", "delivered", 3, 1),
        ("last_handed", "waiting", 3, 3),
        ("waiting_of_an_earlier_transaction", "waiting", 0, 4),
        ("waiting", "waiting", 0, 5),
        ("since_the_move", "waiting", 0, 6),
    ]

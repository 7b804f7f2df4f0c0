"""A database of each earlier version becomes one of this version, and nothing in it is lost.

`upgrades/` has a database for each migration (of the newest it may), as a version of then left it; who adds a
migration adds that of the one before (`upgrades/fill.py` makes it).
"""

import asyncio
import gzip
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import asyncpg
import httpx
import jwt
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from plaudit import clock
from plaudit.demo import TEST_NAME
from plaudit.history import verify as verifying
from plaudit.history.verify import verify
from plaudit.storage import migrate as migrating
from plaudit.storage.embedded import program
from plaudit.storage.migrate import DatabaseNewerError, MigrationFailedError, migrate
from plaudit.storage.orgs import SCOPES, create_api_key
from plaudit.storage.postgres import connect
from plaudit.storage.queries import queries_beside
from plaudit.storage.schema import MIGRATIONS, is_migrated
from tests.support.eventually import eventually
from tests.support.http import ok
from tests.support.server import Server, new_folder

FOLDER = Path(__file__).parent / "upgrades"
FILLED = sorted(FOLDER.glob("*.sql.gz"))
# Those a server of this version is started on: each goes through all later migrations, so a few stand for the rest.
SERVED = (*FILLED[:3], FILLED[-1])
SECRET = "of the test"
# Actions that nobody had decided when the databases were dumped.
WAITING = ("waiting-1", "waiting-2", "waiting-3")
TABLES_KEPT = ("orgs", "documents", "members", "balances", "events", "transactions", "codes", "coupons", "holdings")


def restored(server: str, dump: Path) -> str:
    """The URL of a new database with what was dumped."""
    name = f"upgrade_{uuid4().hex[:12]}"

    async def create():
        admin = await asyncpg.connect(server.replace("/plaudit?", "/postgres?"))
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.close()

    asyncio.run(create())
    url = server.replace("/plaudit?", f"/{name}?")
    psql = [program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url]
    subprocess.run(psql, input=gzip.decompress(dump.read_bytes()), check=True, capture_output=True)
    return url


async def ask(url: str, work):
    connection = await connect(url)
    try:
        return await work(connection)
    finally:
        await connection.close()


async def assert_invariants_hold(connection) -> None:
    for check in await verify(connection):
        assert check.holds, check


async def counted(connection) -> dict[str, int]:
    return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES_KEPT}


async def balances(connection) -> list[tuple]:
    """What members have. (What counts as earned has been defined anew since; verify compares it with the ledger.)"""
    rows = await connection.fetch("SELECT member_id, metric, amount FROM balances ORDER BY 1, 2")
    return [tuple(row) for row in rows]


async def earned(connection) -> dict[tuple, int]:
    """What members have earned of each metric, where it is something."""
    rows = await connection.fetch("SELECT member_id, metric, earned FROM balances WHERE earned <> 0")
    return {(row["member_id"], row["metric"]): row["earned"] for row in rows}


async def earned_by_the_ledger(connection) -> dict[tuple, int]:
    """The same by the transactions: credits that nobody sent, less what of them was reversed. Slow and obvious."""
    rows = await connection.fetch(
        "SELECT transaction_id, member_id, metric, amount, reverses, cause_kind = 'manual' AND EXISTS ("
        " SELECT FROM events AS e WHERE (e.bucket, e.position) = (t.bucket, t.position) AND e.kind = 'receipt'"
        ") AS received FROM transactions AS t"
    )
    by_id = {row["transaction_id"]: row for row in rows}
    found: dict[tuple, int] = {}
    for row in rows:
        origin = row
        while origin["reverses"] is not None:
            origin = by_id[origin["reverses"]]
        if origin["amount"] > 0 and not origin["received"]:
            key = row["member_id"], row["metric"]
            found[key] = found.get(key, 0) + row["amount"]
    return {key: amount for key, amount in found.items() if amount}


async def opened(connection) -> dict[str, tuple[str, str]]:
    """The organisations by name, each with a new key, whose secret the dump does not have, and its tokens' secret."""
    found = {}
    for row in await connection.fetch("SELECT org_id, name, jwt_secret FROM orgs ORDER BY created_at DESC"):
        org_id = row["org_id"]
        await create_api_key(connection, org_id, "test", f"{SECRET} {org_id}", SCOPES, clock.now())
        found[row["name"]] = (str(org_id), row["jwt_secret"])
    return found


def client_of(server: Server, org_id: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {SECRET} {org_id}", "X-Monterosa-Org-ID": org_id}
    return httpx.Client(base_url=server.url, headers=headers, timeout=60)


def decided_again(client: httpx.Client) -> None:
    """What waited when the database was dumped is decided, and so is what comes now."""
    eventually(lambda: ok(client.get("/v1/events", params={"status": "queued"}))["events"], [])
    was = ok(client.get("/v1/profiles/zoe"))["points"]
    assert was > 0
    body = {"userId": "zoe", "action": "shop_purchase", "eventId": "now-1", "data": {"amount": 10, "currency": "GBP"}}
    for _ in range(2):  # the second is the same
        response = client.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=20"})
        assert response.status_code < 300, response.text
    assert ok(client.get("/v1/profiles/zoe"))["points"] == was + 100
    body |= {"eventId": WAITING[0], "data": {"amount": 12.5, "currency": "GBP"}}
    client.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=20"}).raise_for_status()
    assert ok(client.get("/v1/profiles/zoe"))["points"] == was + 100  # it counted when it was sent first


def views_work(client: httpx.Client, *, is_empty: bool) -> None:
    """Whatever shows an organisation shows what there was."""
    members = ok(client.get("/v1/profiles"))["profiles"]
    events = ok(client.get("/v1/events"))["events"]
    assert members or is_empty
    assert events or is_empty
    for event in events:
        ok(client.get(f"/v1/events/{event['eventId']}/explain"))
    for row in members:
        ok(client.get(f"/v1/profiles/{row['userId']}/export"))
        ok(client.get("/v1/transactions", params={"userId": row["userId"]}))
    for kind in ("campaigns", "streaks", "ladders", "segments", "competitions", "products", "webhooks"):
        ok(client.get(f"/v1/{kind}"))
    for path in ("/v1/config", "/v1/analytics", "/v1/audit", "/v1/feed", "/v1/bulk/jobs", "/v1/settings"):
        client.get(path).raise_for_status()


def own_views_work(server: Server, org: tuple[str, str], user_id: str) -> None:
    """A member's app shows what the member had."""
    org_id, secret = org
    token = jwt.encode({"sub": user_id, "org": org_id, "exp": int(time.time()) + 600}, secret, algorithm="HS256")
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as app:
        for path in ("/me", "/history", "/me/transactions", "/me/rewards", "/me/notifications", "/config"):
            ok(app.get(f"/api/loyalty{path}"))


@pytest.mark.parametrize("dump", FILLED, ids=lambda path: path.name.split(".")[0])
def test_a_database_of_each_earlier_version_becomes_one_of_this(server, dump):
    url = restored(server, dump)

    async def upgraded(connection):
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == dump.name.split(".")[0]
        before = await counted(connection), await balances(connection)
        await migrate(url)
        assert await is_migrated(connection)
        assert (await counted(connection), await balances(connection)) == before
        assert await earned(connection) == await earned_by_the_ledger(connection)
        await assert_invariants_hold(connection)
        return await opened(connection)

    orgs = asyncio.run(ask(url, upgraded))
    if dump in SERVED:
        served(url, orgs)


def served(url: str, orgs: dict[str, tuple[str, str]]) -> None:
    """A server of this version decides what waited, and shows what there was."""
    running = Server(new_folder(), "--no-demo", "--database-url", url).start()
    try:
        for name, org in orgs.items():
            with client_of(running, org[0]) as client:
                if name == "Riverside FC":
                    decided_again(client)
                    own_views_work(running, org, "zoe")
                views_work(client, is_empty=name == TEST_NAME)  # nobody has followed a guide there
    finally:
        assert running.stop() == 0, running.log()
    asyncio.run(ask(url, assert_invariants_hold))


def test_there_is_a_database_of_each_migration_but_the_newest():
    """When this fails: a migration was added, and the one before it has no database yet. See upgrades/fill.py."""
    script = ScriptDirectory(str(MIGRATIONS))
    every = {revision.revision for revision in script.walk_revisions()}
    filled = {path.name.split(".")[0] for path in FILLED}
    assert filled <= every
    assert every - filled <= {script.get_current_head()}, "make what is missing as upgrades/fill.py says"


def test_the_totals_of_the_past_are_of_the_days_of_then_and_leave_right_ones_alone(server, monkeypatch):
    """Days are those of the organisation's time zone; a metric whose totals come to the ledger's is not touched."""
    url = restored(server, FOLDER / "20261121_1100.sql.gz")

    older = SimpleNamespace(upgrade=lambda config, _: command.upgrade(config, "20261127_0530"))

    async def scenario(connection):
        with monkeypatch.context() as until_then:
            until_then.setattr(migrating, "command", older)
            await migrate(url)
        sums = (
            "SELECT org_id, day, metric, campaign_id, sum(credits), sum(debits) FROM daily_totals GROUP BY 1, 2, 3, 4"
        )
        before = {tuple(row) for row in await connection.fetch(sums)}
        assert await connection.fetchval("SELECT count(*) FROM daily_totals WHERE stripe = 64") == 0
        await connection.execute("DELETE FROM daily_totals WHERE metric = 'points' AND campaign_id <> ''")
        again = (MIGRATIONS / "versions" / "20261126_1800_totals_of_the_past.sql").read_text(encoding="utf-8")
        await connection.execute(again)
        assert {tuple(row) for row in await connection.fetch(sums)} == before
        filled = await connection.fetchval("SELECT count(*) FROM daily_totals WHERE stripe = 64")
        assert filled > 0
        await connection.execute(again)  # there is nothing left to fill
        assert {tuple(row) for row in await connection.fetch(sums)} == before
        await migrate(url)
        await assert_invariants_hold(connection)

    asyncio.run(ask(url, scenario))


def test_what_campaigns_named_like_other_causes_gave_stays_theirs(server):
    """A campaign was called `manual`, and there were credits by hand: they can be told apart by the events."""
    url = restored(server, FOLDER / "20261127_0530.sql.gz")
    again = (MIGRATIONS / "versions" / "20261126_1800_totals_of_the_past.sql").read_text(encoding="utf-8")

    async def scenario(connection):
        org_id, named = await connection.fetchrow(
            "SELECT t.org_id, campaign_id FROM transactions AS t JOIN documents ON kind = 'campaign' AND id = campaign_id"
            " WHERE t.org_id = (SELECT org_id FROM transactions WHERE campaign_id = 'manual' LIMIT 1)"
            " GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 1"
        )
        counted = "SELECT count(*) FROM transactions WHERE org_id = $1 AND campaign_id = $2"
        own = await connection.fetchval(counted, org_id, named)
        by_hand = await connection.fetchval(counted, org_id, "manual")
        assert min(own, by_hand) > 0
        await connection.execute(
            "UPDATE document_versions SET id = 'manual' WHERE org_id = $1 AND id = $2 AND kind = 'campaign'",
            org_id,
            named,
        )
        for table in ("transactions", "coupons"):
            await connection.execute(
                f"UPDATE {table} SET campaign_id = 'manual' WHERE org_id = $1 AND campaign_id = $2", org_id, named
            )
        await connection.execute("DELETE FROM daily_totals")
        await connection.execute(again)
        await migrate(url)
        counted = "SELECT count(*) FROM transactions WHERE org_id = $1 AND (cause_kind, cause_id) = ($2, $3)"
        assert await connection.fetchval(counted, org_id, "campaign", "manual") == own
        assert await connection.fetchval(counted, org_id, "manual", "") == by_hand
        assert await connection.fetch(queries_beside(verifying.__file__).totals_are_sums) == []

    asyncio.run(ask(url, scenario))


def test_what_would_be_done_is_told_first(server):
    url = restored(server, FOLDER / "20261121_1000.sql.gz")

    def checked() -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "plaudit", "migrate", "--check", "--database-url", url]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    result = checked()
    assert result.returncode == 1
    assert result.stdout.splitlines()[:2] == [
        "20261121_1100  Drop fill factors and unneeded indexes of tables that are written with every event.",
        "20261126_1800  Fill the daily totals with the transactions that are older than the table.",
    ]
    asyncio.run(migrate(url))
    result = checked()
    assert (result.returncode, result.stdout) == (0, "The database schema is up to date.\n")


def test_a_database_of_a_later_version_is_refused_by_a_sentence(fresh_database):
    async def scenario(connection):
        await connection.execute("UPDATE alembic_version SET version_num = '20991231_2359'")
        await migrate(fresh_database)

    with pytest.raises(
        DatabaseNewerError, match=r"or earlier \(got 20991231_2359\): run the version of Plaudit that migrated it$"
    ):
        asyncio.run(ask(fresh_database, scenario))


def test_a_migration_that_gets_no_lock_fails_by_a_sentence_and_can_be_run_again(server):
    url = restored(server, FOLDER / "20261121_1000.sql.gz")

    async def scenario(connection):
        async with connection.transaction():
            await connection.execute("LOCK TABLE events IN ACCESS SHARE MODE")  # as a dump does
            with pytest.raises(MigrationFailedError, match="rolled back: canceling statement due to lock timeout"):
                await migrate(url)
        assert not await is_migrated(connection)
        await migrate(url)
        assert await is_migrated(connection)
        await assert_invariants_hold(connection)

    asyncio.run(ask(url, scenario))

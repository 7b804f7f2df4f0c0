"""pg_dump and pg_restore into a new cluster, whose transactions begin anew: everybody is told on, nobody twice."""

import asyncio
import subprocess

import asyncpg
import httpx
import pytest

from plaudit.storage.embedded import EmbeddedPostgres, program, running_url
from tests.support.eventually import eventually
from tests.support.existing import existing
from tests.support.http import ok
from tests.support.push_browser import PushBrowser
from tests.support.receiver import Receiver
from tests.support.stream_reader import StreamReader

CLAP = {
    "campaignId": "clap", "name": "Clap", "triggers": [{"type": "clapped"}],
    "effects": [{"type": "add_points", "amount": 3}], "notification": {"title": "Thanks", "message": "Well done"},
}  # fmt: skip
# Far more than it takes to restore: the new cluster's numbers are lower for long.
MANY_TRANSACTIONS = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


@pytest.fixture
def there():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def browser():
    made = PushBrowser()
    yield made
    made.close()


def use_many_transactions(folder) -> None:
    async def used():
        connection = await asyncpg.connect(running_url(folder / "postgres"))
        await connection.execute("SET synchronous_commit = off")
        await connection.execute(MANY_TRANSACTIONS)
        await connection.close()

    asyncio.run(used())


def dumped(server) -> bytes:
    command = [program("pg_dump"), "--format=custom", "--dbname", running_url(server.folder / "postgres")]
    return subprocess.run(command, check=True, capture_output=True).stdout


def restored(dump: bytes, server):
    """Fill the folder of a server that has never run, and start it."""
    postgres = EmbeddedPostgres(server.folder / "postgres")
    command = [program("pg_restore"), "--exit-on-error", "--no-owner", "--dbname", postgres.start()]
    subprocess.run(command, check=True, input=dump)
    postgres.stop()
    return server.start()


def clap(club, *keys: str) -> None:
    for key in keys:
        body = {"userId": "ann", "action": "clapped", "eventId": key}
        ok(club.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=30"}))


def numbers(club, after: str) -> tuple[list, str]:
    """What the feed has after a cursor: the balances that were told, and where to go on."""
    page = ok(club.get("/v1/feed", params={"after": after}))
    return [message["data"].get("balanceAfter") for message in page["messages"]], page["cursor"]


def until_fed(club, after: str, count: int) -> tuple[list, str]:

    def fed() -> tuple[list, str] | None:
        page = numbers(club, after)
        return page if len(page[0]) >= count else None

    return existing(eventually(fed))


@pytest.mark.slow
def test_everybody_is_told_on_after_a_restore_into_a_new_cluster(own_server, monkeypatch, there, browser):
    monkeypatch.setenv("PLAUDIT_PRIVATE_NETWORKS", "true")
    first, second = own_server("--no-demo").start(), own_server("--no-demo")
    with first.client_of("Club") as club, first.member_of(club, "ann") as ann:
        ok(club.post("/v1/campaigns", json=CLAP), 201)
        ok(club.put("/v1/settings", json={"push": {"contact": "mailto:ops@example.com"}}))
        ok(club.post("/v1/webhooks", json={"name": "W", "url": there.url, "events": ["transaction.created"]}), 201)
        ok(ann.post("/api/loyalty/me/push/subscriptions", json=browser.subscription()), 201)
        use_many_transactions(first.folder)
        clap(club, "one", "two")
        there.wait_for(2)
        found, cursor = until_fed(club, "", 4)  # a transaction and a notification each
        assert [balance for balance in found if balance] == [3, 6]
        dump = dumped(first)
        headers = club.headers
        clap(club, "lost")
        lost, beyond = until_fed(club, cursor, 2)
        assert 9 in lost
    browser.wait_for(2)
    assert first.stop() == 0
    delivered, pushed = len(there.messages), len(browser.came)

    restored(dump, second)
    second.jwt_secrets = first.jwt_secrets
    with httpx.Client(base_url=second.url, headers=headers, timeout=60) as club, second.member_of(club, "ann") as ann:
        refused = club.get("/v1/feed", params={"after": beyond})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "cursor_ahead")
        heard = StreamReader(ann)
        clap(club, "three", "four")
        there.wait_for(delivered + 2)
        found, cursor = until_fed(club, cursor, 4)
        assert [balance for balance in found if balance] == [9, 12]
        browser.wait_for(pushed + 2)
        heard.wait_for(lambda: len(heard.notes()) == 2)
        heard.close()
        # The restored feed has come past the place of the cursor that was lost, with another message there.
        assert club.get("/v1/feed", params={"after": beyond}).status_code == 409
        assert numbers(club, cursor) == ([], cursor)
    amounts = [message["data"]["balanceAfter"] for message in there.messages]
    assert sorted(amounts) == [3, 6, 9, 9, 12]
    assert len({message["id"] for message in there.messages}) == 5
    assert second.verify() == 0

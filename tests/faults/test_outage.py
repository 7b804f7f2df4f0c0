"""The database is away for longer than a moment: every part of the server waits, and goes on by itself."""

import asyncio
import os
import signal
import time

import httpx
import pytest

from plaudit.storage.embedded import running_url
from plaudit.storage.postgres import connect
from tests.support.eventually import eventually
from tests.support.existing import existing
from tests.support.http import ok, report
from tests.support.processes import postmaster
from tests.support.receiver import Receiver
from tests.support.stream_reader import StreamReader

ACTIONS = "/api/audience/internal/actions"
AWAY_SECONDS = 4.0  # longer than any part waits between two looks


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def refused(response) -> bool:
    """Whether an action was taken or refused as it should be: nothing else may happen."""
    if response.status_code == 202:
        return False
    assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    return True


def points(member) -> int:
    return ok(member.get("/api/loyalty/me"))["metrics"]["points"]["balance"]


@pytest.mark.slow
def test_every_part_goes_on_after_an_outage(own_server, receiver, monkeypatch):
    monkeypatch.setenv("PLAUDIT_PRIVATE_NETWORKS", "true")
    server = own_server("--no-demo").start()
    clap = {"name": "Clap", "triggers": [{"type": "clapped"}], "effects": [{"type": "add_points", "amount": 3}],
            "notification": {"title": "Thanks", "message": "Well done"}}  # fmt: skip
    with server.client_of("Club", is_test=True) as club, server.member_of(club, "ann") as ann:
        ok(club.post("/v1/campaigns", json={"campaignId": "clap", **clap}), 201)
        ok(
            club.post("/v1/webhooks", json={"name": "There", "url": receiver.url, "events": ["campaign.completed"]}),
            201,
        )
        stream = StreamReader(ann)
        report(club, "ann", "clapped")
        stream.wait_for(lambda: len(stream.notes()) == 1)
        receiver.wait_for(1)

        away = {"userId": "ann", "action": "clapped", "eventId": "away"}
        server.process.send_signal(signal.SIGSTOP)  # so that nobody starts it again
        try:
            os.kill(existing(postmaster(server)).pid, signal.SIGKILL)
            eventually(lambda: refused(club.post(ACTIONS, json=away)))  # what is on its way may still be taken
            ends = time.monotonic() + AWAY_SECONDS
            while time.monotonic() < ends:
                assert refused(club.post(ACTIONS, json=away))
                assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200
        finally:
            server.process.send_signal(signal.SIGCONT)

        eventually(lambda: httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200)
        assert club.post(ACTIONS, json=away).status_code == 202  # as a good client does
        eventually(lambda: points(ann) == 6)
        ok(club.put("/v1/campaigns/clap", json={**clap, "effects": [{"type": "add_points", "amount": 4}]}))
        claps, had, more = 2, 6, 0
        deadline = time.monotonic() + 120
        while more != 4:  # until the change is in force
            assert more in (0, 3)
            assert time.monotonic() < deadline
            report(club, "ann", "clapped")
            claps += 1
            eventually(lambda: points(ann) > had)  # noqa: B023
            more = points(ann) - had
            had += more
        stream.wait_for(lambda: len(stream.notes()) == claps)
        # A message that was taken by a commit whose response was lost is tried again when its lease is over.
        receiver.wait_for(claps)
        server.verify()


@pytest.mark.slow
def test_a_database_that_may_only_be_read_is_one_that_is_away(own_server):
    """As after a failover, on connections to the server that was demoted: no event is to blame."""
    server = own_server().start()
    url = existing(running_url(server.folder / "postgres"))
    action = {"userId": "ann", "action": "poll_vote"}

    async def may_write(word: str) -> None:
        connection = await connect(url)
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"ALTER DATABASE plaudit SET default_transaction_read_only = {word}")
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = $1"
        await connection.fetch(others, "plaudit")
        await connection.close()

    with server.client() as http:
        assert http.post(ACTIONS, json=action | {"eventId": "before"}).status_code == 202
        asyncio.run(may_write("on"))
        eventually(lambda: refused(http.post(ACTIONS, json=action | {"eventId": "during"})))
        for _ in range(20):  # for two seconds, while every part looks again
            assert refused(http.post(ACTIONS, json=action | {"eventId": "during"}))
            time.sleep(0.1)
        assert "read-only" in httpx.get(f"{server.url}/readyz", timeout=60).text
        asyncio.run(may_write("off"))
        eventually(lambda: not refused(http.post(ACTIONS, json=action | {"eventId": "during"})))
        eventually(lambda: ok(http.get("/v1/events", params={"status": "queued"}))["events"] == [])
        assert ok(http.get("/v1/events", params={"status": "failed"}))["events"] == []
        assert ok(http.get("/v1/profiles/ann"))["metrics"]["xp"]["balance"] == 40
    server.verify()

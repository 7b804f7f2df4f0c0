"""Worker, API and PostgreSQL itself are killed again and again under load; every acknowledged action counts once."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys

import httpx
import psutil
import pytest

from tests.support.eventually import eventually, eventually_async
from tests.support.processes import children_of, postmaster

KILLS = 33
SENDERS = 4


def kill(server, what: str) -> bool:
    targets = [postmaster(server)] if what == "postgres" else children_of(server, what)
    killed = False
    for target in targets:
        if target is not None:
            try:
                # The postmaster's own children end when it does; the server's pages are what a crash leaves.
                target.send_signal(signal.SIGKILL)
                killed = True
            except psutil.NoSuchProcess:
                pass
    return killed


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_counted_twice(own_server):
    server = own_server().start()
    credentials = server.credentials
    headers = {"Authorization": f"Bearer {credentials['apiSecret']}", "X-Monterosa-Org-ID": credentials["orgId"]}
    acknowledged: dict[str, str] = {}
    stopping = asyncio.Event()

    async def send(number: int) -> None:
        chance = random.Random(number)
        sent = 0
        async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=5) as client:
            while not stopping.is_set():
                sent += 1
                batch = [
                    {
                        "userId": f"fan_{chance.randrange(40)}",
                        "action": "poll_vote",
                        "eventId": f"vote-{number}-{sent}-{i}",
                        "data": {"option": "home"},
                    }
                    for i in range(10)
                ]
                # The same again until it is acknowledged, after a pause, as a good client does.
                while not stopping.is_set():
                    try:
                        response = await client.post("/api/audience/internal/actions/batch", json=batch)
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
                        continue
                    if response.status_code == 202:
                        assert response.json()["refused"] == 0, response.text
                        acknowledged.update({event["eventId"]: event["userId"] for event in batch})
                        break
                    assert response.status_code == 503, response.text
                    await asyncio.sleep(0.05)

    async def kill_again_and_again() -> None:
        chance = random.Random(1)
        kills = 0
        while kills < KILLS:
            before = len(acknowledged)
            await asyncio.sleep(chance.uniform(0.2, 0.8))  # it is killed at any time
            what = ("worker", "api", "postgres")[kills % 3]
            if kill(server, what):
                kills += 1
            await eventually_async(lambda: len(acknowledged) > before, show=server.log)  # noqa: B023 (at once)
        stopping.set()

    async def main() -> None:
        await asyncio.gather(kill_again_and_again(), *(send(number) for number in range(SENDERS)))

    asyncio.run(main())
    assert len(acknowledged) > 300
    with server.client() as http:

        def is_ready_and_has_decided() -> bool:
            ready = http.get("/readyz").status_code == 200
            queued = http.get("/v1/events", params={"status": "queued"}).json()["data"]["events"]
            assert http.get("/v1/events", params={"status": "failed"}).json()["data"]["events"] == []
            return ready and not queued

        eventually(is_ready_and_has_decided, despite=httpx.TransportError, show=server.log)
        votes: dict[str, int] = {}
        for user in acknowledged.values():
            votes[user] = votes.get(user, 0) + 1
        more = 0
        for user, number in votes.items():
            profile = http.get(f"/v1/profiles/{user}").json()["data"]
            counted = profile["metrics"]["xp"]["balance"] // 20
            assert counted >= number, (user, counted, number)
            more += counted - number
        # An accepted action whose response was lost at the end may also count, but only once.
        assert more <= SENDERS * 10
    verified = subprocess.run(
        [sys.executable, "-m", "plaudit", "verify", "--data", str(server.folder)],
        capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "120"},
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout
    assert json.loads((server.folder / "credentials.json").read_text()) == credentials

"""Benchmark the API: single POSTs, the same POSTs with nothing stored, batches, and latency."""

import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
import msgspec
from litestar import Litestar

from bench.engine import Org
from bench.sizes import SIZES, free_port
from plaudit.core.ids import bucket_of, event_id_of, member_id_of
from plaudit.engine.inbox import AppendResult, Inbox

CONNECTIONS, SECONDS = SIZES.connections, SIZES.seconds
PATH = "/api/audience/internal/actions"
NOOP = "PLAUDIT_BENCH_NOOP"


class Nowhere(Inbox):
    """An inbox that accepts everything and keeps nothing."""

    async def append(self, arrivals):
        return AppendResult(new=frozenset(one.event_id for one in arrivals), conflicting=frozenset())


def create_app() -> Litestar:
    """The API as it is; or, when the environment says so, with nothing stored."""
    from plaudit.api import app

    if os.environ.get(NOOP):
        app.Inbox = Nowhere
    return app.create_app()


@contextmanager
def running(url: str, *, noop: bool = False, worker: bool = False, app: str = "bench.http:create_app") -> Iterator[int]:
    """The API, on the port that is returned, and a worker if wanted, as processes of their own."""
    port = free_port()
    environment = os.environ | {"PLAUDIT_DATABASE_URL": url} | ({NOOP: "1"} if noop else {})
    api = [
        sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--loop", "uvloop", "--port", str(port),
        "--log-level", "warning", "--backpressure", "30000", app,
    ]  # fmt: skip
    commands = [api, *([[sys.executable, "-m", "plaudit", "worker"]] if worker else [])]
    # A session each, as `serve` starts them: the system shares its cores out by sessions first.
    children = [subprocess.Popen(command, env=environment, start_new_session=True) for command in commands]
    try:
        yield port
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            child.wait(30)


class Client:
    """One kept connection that speaks just enough HTTP/1.1: a load generator must cost less than what it measures."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "Host: bench\r\n"

    async def open(self) -> "Client":
        """Connect; waits for a server that is starting."""
        while True:
            try:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                return self

    async def post(self, path: str, body: bytes) -> bytes:
        """Return the code of the status line."""
        head = (
            f"POST {path} HTTP/1.1\r\n{self._head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return await self._exchange(head.encode() + body)

    async def get(self, path: str) -> bytes:
        """The same without a body."""
        return await self._exchange(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())

    async def _exchange(self, request: bytes) -> bytes:
        self._writer.write(request)
        response = await self._reader.readuntil(b"\r\n\r\n")
        lowered = response.lower()
        start = lowered.index(b"content-length:") + 15
        await self._reader.readexactly(int(lowered[start : lowered.index(b"\r\n", start)]))
        return response[9:12]

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def clients(port: int, headers: dict[str, str], number: int) -> AsyncGenerator[list[Client]]:
    """Some connections."""
    opened = [await Client(port, headers).open() for _ in range(number)]
    yield opened
    for one in opened:
        one.close()


def headers_of(org: Org) -> dict[str, str]:
    """What a client of the organisation sends."""
    return {"Authorization": f"Bearer {org.secret}", "X-Monterosa-Org-ID": str(org.org_id)}


def action(org: Org, chance: random.Random, number: str) -> dict[str, object]:
    """One purchase."""
    return {
        "userId": f"user_{chance.randrange(org.members)}", "action": "purchase", "eventId": number,
        "data": {"orderId": f"ORD-{number}", "amount": 9.99, "currency": "USD"}, "metadata": {"source": "bench"},
    }  # fmt: skip


async def post_rate(port: int, headers: dict[str, str], org: Org, *, tag: str, batch: int = 1) -> float:
    """Actions accepted a second, from as many connections as a busy site has (fewer for batches)."""
    done = 0
    stop_at = 0.0

    async def drive(client: Client, number: int) -> None:
        nonlocal done
        chance = random.Random(number)
        sent = 0
        while time.perf_counter() < stop_at:
            actions = [action(org, chance, f"{tag}-{number}-{sent + i}") for i in range(batch)]
            sent += batch
            path, body = (PATH, actions[0]) if batch == 1 else (f"{PATH}/batch", actions)
            assert await client.post(path, msgspec.json.encode(body)) == b"202"
            done += batch

    async with clients(port, headers, CONNECTIONS if batch == 1 else 4) as opened:
        await opened[0].post(PATH, msgspec.json.encode(action(org, random.Random(0), f"{tag}-warm")))
        started = time.perf_counter()
        stop_at = started + SECONDS
        await asyncio.gather(*(drive(client, i) for i, client in enumerate(opened)))
        return done / (time.perf_counter() - started)


async def processed_rate(url: str, port: int, headers: dict[str, str], org: Org) -> float:
    """Actions a second that the whole server takes in and decides, side by side: its capacity."""
    connection = await asyncpg.connect(url)
    await drained(connection)
    before = await connection.fetchval("SELECT count(*) FROM events")
    started = time.perf_counter()
    await post_rate(port, headers, org, tag="capacity")
    await drained(connection)
    seconds = time.perf_counter() - started
    after = await connection.fetchval("SELECT count(*) FROM events")
    # What is measured next starts with a quiet disk, and not beside the tidying after a backlog of 300,000.
    await connection.execute("VACUUM")
    await connection.execute("CHECKPOINT")
    await connection.close()
    return (after - before) / seconds


async def drained(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """When nothing waits in the inbox."""
    while await connection.fetchval("SELECT EXISTS (SELECT FROM inbox)"):
        await asyncio.sleep(0.02)


async def latency(url: str, port: int, headers: dict[str, str], org: Org, rate: float) -> tuple[float, float]:
    """Seconds from the 202 to the decided event, p50 and p99, at `rate` actions a second; some are watched."""
    watcher = await asyncpg.create_pool(url, min_size=4, max_size=4)
    query = "SELECT 1 FROM event_ids WHERE event_id = $1 AND EXISTS (SELECT FROM balances WHERE (bucket, member_id) = ($2, $3))"
    waits: list[float] = []
    chance = random.Random(7)
    watching: set[asyncio.Task[None]] = set()

    async def watch(body: dict[str, object]) -> None:
        accepted = time.perf_counter()
        member = member_id_of(org.org_id, str(body["userId"]))
        key = event_id_of(org.org_id, str(body["eventId"])), bucket_of(member), member
        async with watcher.acquire() as connection:
            while not await connection.fetchval(query, *key):
                await asyncio.sleep(0.001)
        waits.append(time.perf_counter() - accepted)

    async def send(client: Client, number: int) -> None:
        body = action(org, chance, f"latency-{number}")
        assert await client.post(PATH, msgspec.json.encode(body)) == b"202"
        if number % SIZES.watched_every == 0:
            task = asyncio.create_task(watch(body))
            watching.add(task)
            task.add_done_callback(watching.discard)

    async with clients(port, headers, CONNECTIONS) as opened:
        free: asyncio.Queue[Client] = asyncio.Queue()
        for one in opened:
            free.put_nowait(one)

        sending: set[asyncio.Task[None]] = set()

        async def turn(number: int) -> None:
            client = await free.get()
            await send(client, number)
            free.put_nowait(client)

        started = time.perf_counter()
        number = 0
        while (passed := time.perf_counter() - started) < SIZES.latency_seconds:
            while number < passed * rate + 2:  # those two at once: there are no quantiles of one
                task = asyncio.create_task(turn(number))
                sending.add(task)
                task.add_done_callback(sending.discard)
                number += 1
            await asyncio.sleep(0.002)
        await asyncio.gather(*sending)
        while watching:
            await asyncio.sleep(0.01)
    await watcher.close()
    cuts = statistics.quantiles(waits, n=100)
    return cuts[49], cuts[98]

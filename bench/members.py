"""Members' own calls: reads beside a primary-key SELECT through the same stack, reads beside writes, live streams."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable

import jwt
import msgspec
from litestar import Litestar

from bench.engine import Org
from bench.http import CONNECTIONS, PATH, SECONDS, Client, action, clients, headers_of
from bench.sizes import SIZES
from plaudit import clock
from plaudit.core.ids import bucket_of
from plaudit.documents.kinds import KINDS
from plaudit.storage.documents import Change, create
from plaudit.storage.postgres import create_pool

SELECT = "/bench/select"
READS = ("/api/loyalty/profile", "/api/loyalty/me", "/api/loyalty/history")
STREAMS_EACH = 5
TOASTS_A_SECOND = 40


def create_app() -> Litestar:
    """The API with one more call: a SELECT by primary key, through everything that members' calls go through."""
    from plaudit.api import app
    from plaudit.api.http.operations import Call, Operation
    from plaudit.api.identity.current_member import member_id

    async def select(call: Call) -> object:
        key = member_id(call)
        await call.services.programmes.current(call.org_id)
        async with call.services.pool.acquire() as connection:
            row = await connection.fetchrow(
                "SELECT user_id FROM members WHERE bucket = $1 AND member_id = $2", bucket_of(key), key
            )
        return {"userId": row["user_id"]}

    own = Operation(
        name="selectMember", method="GET", path=SELECT, summary="Select a member", run=select, response=dict[str, str],
        scope=None, member=True, tag="Bench",
    )  # fmt: skip
    app.OPERATIONS = [*app.OPERATIONS, own]
    return app.create_app()


async def prepare_members(url: str, org: Org) -> str:
    """A campaign that tells its member, and the secret that members' tokens are signed with."""
    pool = await create_pool(url, size=1)
    async with pool.acquire() as connection:
        change = Change(org_id=org.org_id, kind=KINDS["campaign"], id="toast", by="bench", at=clock.now())
        raw = {
            "name": "Toast",
            "triggers": [{"type": "toast"}],
            "effects": [{"type": "add_points", "config": {"amount": 1}}],
            "notification": {"message": "Toast"},
        }
        await create(connection, change, raw)
        secret = await connection.fetchval("SELECT jwt_secret FROM orgs WHERE org_id = $1", org.org_id)
    await pool.close()
    return secret


def token_headers(org: Org, secret: str, user_id: str) -> dict[str, str]:
    """What a member's app sends."""
    claims = {"sub": user_id, "org": str(org.org_id), "exp": int(time.time()) + 3_600}
    return {"Authorization": f"Bearer {jwt.encode(claims, secret, algorithm='HS256')}"}


async def read_times(port: int, org: Org, secret: str) -> dict[str, float]:
    """The p99 of each read and of the SELECT, in seconds, by turns on one connection."""
    times: dict[str, list[float]] = {path: [] for path in (SELECT, *READS)}
    opened = [await Client(port, token_headers(org, secret, f"user_{i}")).open() for i in range(20)]
    for turn in range(SIZES.reads):
        client = opened[turn % len(opened)]
        for path, found in times.items():
            started = time.perf_counter()
            assert await client.get(path) == b"200"
            found.append(time.perf_counter() - started)
    for one in opened:
        one.close()
    return {path: statistics.quantiles(found[SIZES.reads // 15 :], n=100)[98] for path, found in times.items()}


async def reads_beside_writes(port: int, org: Org, secret: str, writes: float) -> tuple[float, float]:
    """Reads of `/me` a second while `writes` actions a second come in; and how many of these did."""
    done, sent = 0, 0
    started = time.perf_counter()
    chance = random.Random(11)

    async def read(client: Client) -> None:
        nonlocal done
        while time.perf_counter() - started < SECONDS:
            assert await client.get("/api/loyalty/me") == b"200"
            done += 1

    async def write(client: Client) -> None:
        nonlocal sent
        while (passed := time.perf_counter() - started) < SECONDS:
            if sent >= passed * writes:
                await asyncio.sleep(0.002)
                continue
            sent += 1
            body = msgspec.json.encode(action(org, chance, f"beside-{sent}"))
            assert await client.post(PATH, body) == b"202"

    readers = [await Client(port, token_headers(org, secret, f"user_{i}")).open() for i in range(16)]
    async with clients(port, headers_of(org), CONNECTIONS) as writers:
        await asyncio.gather(*map(read, readers), *map(write, writers))
    for one in readers:
        one.close()
    return done / SECONDS, sent / SECONDS


class Listening(asyncio.Protocol):
    """One stream, read as cheaply as can be."""

    def __init__(self, head: bytes, ready: Callable[[], None], heard: Callable[[float], None]) -> None:
        self._head, self._ready, self._heard = head, ready, heard

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        if b"event: ready" in data:
            self._ready()
        for _ in range(data.count(b"event: notification")):
            self._heard(time.perf_counter())


async def toasts(port: int, org: Org, secret: str) -> tuple[int, float, float]:
    """How many streams one process held, and from an action's sending to its toast, p50 and p99, in seconds."""
    loop = asyncio.get_running_loop()
    ready = 0
    heard: dict[str, list[float]] = {}

    def is_ready() -> None:
        nonlocal ready
        ready += 1

    held: list[Listening] = []
    for i in range(SIZES.streams // STREAMS_EACH):
        user_id = f"user_{i}"
        heard[user_id] = []
        lines = "".join(f"{name}: {value}\r\n" for name, value in token_headers(org, secret, user_id).items())
        head = f"GET /api/loyalty/me/stream HTTP/1.1\r\n{lines}Host: bench\r\n\r\n".encode()
        for _ in range(STREAMS_EACH):
            made = await loop.create_connection(
                lambda head=head, user_id=user_id: Listening(head, is_ready, heard[user_id].append), "127.0.0.1", port
            )
            held.append(made[1])
        while ready < len(held) - 200:  # not all at the door at once
            await asyncio.sleep(0.005)
    deadline = time.perf_counter() + 60
    while ready < len(held) and time.perf_counter() < deadline:
        await asyncio.sleep(0.05)
    await asyncio.sleep(SIZES.settle_seconds)  # each looks for itself once after it began

    waits: list[float] = []
    async with clients(port, headers_of(org), 4) as (one, *_):
        for number in range(SIZES.toasts):
            user_id = f"user_{number * 7 % len(heard)}"
            already = len(heard[user_id])
            body = msgspec.json.encode({"userId": user_id, "action": "toast", "eventId": f"toast-{number}"})
            sent = time.perf_counter()
            assert await one.post(PATH, body) == b"202"
            while len(heard[user_id]) < already + STREAMS_EACH:
                await asyncio.sleep(0.0005)
                assert time.perf_counter() - sent < 10, f"toast {number} came to {len(heard[user_id]) - already}"
            waits += [at - sent for at in heard[user_id][already:]]
            await asyncio.sleep(max(0, sent + 1 / TOASTS_A_SECOND - time.perf_counter()))
    for stream in held:
        stream.transport.close()
    cuts = statistics.quantiles(waits, n=100)
    return ready, cuts[49], cuts[98]

"""The mechanics: the engine with all of them live, boards of a million, a segment filled, a year imported."""

import random
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bench.engine import Org
from bench.sizes import SIZES
from plaudit import clock
from plaudit.chores.fill_segments import fill_next_bucket
from plaudit.core.event import ACTION
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.core.member import STATE_TABLES
from plaudit.documents.kinds import KINDS
from plaudit.engine import inbox
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.engine.worker import LANES, Worker
from plaudit.mechanics.competitions.state import Standing
from plaudit.reads.leaderboards import Leaderboards
from plaudit.storage.documents import Change, create, update
from plaudit.storage.orgs import create_org
from plaudit.storage.postgres import Pool, create_pool
from plaudit.storage.programmes import Programmes


async def write(pool: Pool, org_id: UUID, kind: str, id: str, **raw) -> None:
    """A document."""
    change = Change(org_id=org_id, kind=KINDS[kind], id=id, by="bench", at=clock.now())
    async with pool.acquire() as connection:
        if kind == "metric":
            await update(connection, change, raw)
        else:
            await create(connection, change, {"name": id, **raw})


async def live_mechanics(pool: Pool, org_id: UUID) -> None:
    """A streak, a ladder, a segment and a challenge that all look at a purchase."""
    points = {"type": "add_points", "config": {"amount": 1}}
    await write(pool, org_id, "streak", "daily", triggers=[{"type": "purchase"}])
    await write(pool, org_id, "ladder", "club", window={"type": "calendar_year"}, rungs=[
        {"rungId": f"r{n}", "name": "R", "threshold": 1_000 * n} for n in range(4)])  # fmt: skip
    counted = {"count": {"trigger": "purchase", "withinDays": 30}, "operator": ">=", "value": 3}
    await write(pool, org_id, "segment", "buyers", include=[counted])
    step = {"name": "Buy", "trigger": "purchase", "goal": {"type": "sum", "field": "amount", "target": 1_000}}
    await write(pool, org_id, "campaign", "camp_challenge", steps=[step, {**step, "name": "Again"}], effects=[points])


async def _p99(look: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(SIZES.looks):
        started = time.perf_counter()
        await look()
        times.append(time.perf_counter() - started)
    return statistics.quantiles(times, n=100)[98]


async def board_times(url: str, members: int) -> tuple[float, float, float]:
    """Seconds, p99: of a primary-key SELECT, of a member's rank, of the top 100; among `members` on a board."""
    pool = await create_pool(url, size=4, by_key=True)
    async with pool.acquire() as connection:
        org_id = (await create_org(connection, "Board", clock.now())).org_id
    await write(pool, org_id, "competition", "cup", score={"metric": "points"})
    chance = random.Random(1)
    now = clock.now()
    ids = [(member_id_of(org_id, f"user_{n}"), f"user_{n}") for n in range(members)]
    table = STATE_TABLES["standings"]
    rows = [
        table.row(
            (bucket_of(key), key), org_id, user, "cup", Standing(score=chance.randrange(10**6), reached_at=now), 1
        )
        for key, user in ids
    ]
    async with pool.acquire() as connection:
        await connection.execute("UPDATE positions SET position = greatest(position, 1)")
        for start in range(0, members, 100_000):
            await connection.copy_records_to_table(
                "standings", records=rows[start : start + 100_000], columns=table.columns
            )
        await connection.execute("VACUUM ANALYZE standings")
    boards = Leaderboards(pool)
    await boards.board(org_id, "cup")

    async def select() -> object:
        one, _ = ids[chance.randrange(members)]
        query = "SELECT score FROM standings WHERE bucket = $1 AND member_id = $2 AND competition_id = 'cup'"
        async with pool.acquire() as connection:
            return await connection.fetchval(query, bucket_of(one), one)

    async def rank() -> object:
        return (await boards.board(org_id, "cup")).rank(ids[chance.randrange(members)][1])

    async def top() -> object:
        return (await boards.board(org_id, "cup")).top(1, 100)

    for warm in (select, rank, top):
        await _p99(warm)
    found = await _p99(select), await _p99(rank), await _p99(top)
    await pool.close()
    return found


async def fill_rate(url: str, members: int) -> float:
    """Members a second that a new segment is filled over, one in ten of whom comes in."""
    pool = await create_pool(url, size=LANES + 2, by_key=True)
    async with pool.acquire() as connection:
        org_id = (await create_org(connection, "Fill", clock.now())).org_id
        now = clock.now()
        ids = [(member_id_of(org_id, f"user_{n}"), f"user_{n}", n) for n in range(members)]
        rows = [(bucket_of(one), one, org_id, user, f'{{"age":{n % 100}}}', now, now, 0) for one, user, n in ids]
        columns = ("bucket", "member_id", "org_id", "user_id", "attributes", "enrolled_at", "latest_at", "sequence")
        for start in range(0, members, 100_000):
            await connection.copy_records_to_table("members", records=rows[start : start + 100_000], columns=columns)
        await connection.execute("VACUUM ANALYZE members")
    programmes = Programmes(pool, url)
    await programmes.current(org_id)
    while await fill_next_bucket(pool, programmes):
        pass  # those of other organisations
    await write(pool, org_id, "segment", "young", include=[{"field": "age", "operator": "<", "value": 10}])
    started = time.perf_counter()
    while await fill_next_bucket(pool, programmes):
        pass
    seconds = time.perf_counter() - started
    await _drain(pool, url, programmes)  # who came in is an event each: what is measured next shall not meet them
    await pool.close()
    return members / seconds


async def _drain(pool: Pool, url: str, programmes: Programmes) -> None:
    worker = Worker(pool, url, programmes)
    await worker.renew_leases()
    await worker.drain()
    await worker.release()


async def import_rate(url: str, members: int, events: int) -> float:
    """Events a second of a year of history, with all mechanics live and their timers going off in between."""
    pool = await create_pool(url, size=LANES + 2, by_key=True)
    async with pool.acquire() as connection:
        org_id = (await create_org(connection, "Year", clock.now())).org_id
    await write(pool, org_id, "metric", "points", expiry={"type": "rolling", "days": 90})
    await live_mechanics(pool, org_id)
    pay = [{"type": "add_points", "config": {"amount": "floor(amount)"}}]
    await write(pool, org_id, "campaign", "camp_pay", triggers=[{"type": "purchase"}], effects=pay)
    chance = random.Random(3)
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    minutes = sorted(chance.randrange(365 * 1_440) for _ in range(events))
    now = clock.now()
    arrivals = [
        arrival_from_client(
            org_id=org_id, user_id=f"user_{chance.randrange(members)}", kind=ACTION, trigger="purchase",
            occurred_at=begin + timedelta(minutes=minute), received_at=now, source="bench",
            payload=Payload({"amount": chance.randrange(1, 100)}), event_id=clock.new_uuid7(),
        )
        for minute in minutes
    ]  # fmt: skip
    async with pool.acquire() as connection:
        for start in range(0, events, 2_000):
            await inbox.append(connection, arrivals[start : start + 2_000])
        await connection.execute("VACUUM ANALYZE inbox")
    started = time.perf_counter()
    await _drain(pool, url, Programmes(pool, url))
    seconds = time.perf_counter() - started
    await pool.close()
    return events / seconds


async def add_mechanics(url: str, org: Org) -> None:
    """The mechanics into an organisation that is there."""
    pool = await create_pool(url, size=2)
    await live_mechanics(pool, org.org_id)
    await pool.close()

"""A server's parts without HTTP: an organisation, its programme, arrivals, a worker."""

from dataclasses import dataclass
from uuid import UUID

from plaudit import clock
from plaudit.chores.of_workers import run_chores_of_worker
from plaudit.core.event import ACTION
from plaudit.documents.kinds import KINDS
from plaudit.engine import inbox
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.engine.worker import Worker
from plaudit.storage import code_pools
from plaudit.storage.documents import Change, create, update
from plaudit.storage.postgres import Pool
from plaudit.storage.programmes import Programmes
from tests.support.invariants import violations


@dataclass
class Stage:
    """An organisation on a database, and what it takes to act on it."""

    url: str
    pool: Pool
    programmes: Programmes
    org_id: UUID

    async def write(self, kind: str, id: str, **raw) -> None:
        raw.setdefault("name", id)
        change = Change(org_id=self.org_id, kind=KINDS[kind], id=id, by="test", at=clock.now())
        async with self.pool.acquire() as connection:
            await create(connection, change, raw)
        await self.programmes.refresh(self.org_id)

    async def change(self, kind: str, id: str, **raw) -> None:
        change = Change(org_id=self.org_id, kind=KINDS[kind], id=id, by="test", at=clock.now())
        async with self.pool.acquire() as connection:
            await update(connection, change, raw)
        await self.programmes.refresh(self.org_id)

    async def pay(self, id: str = "camp_1", trigger: str = "purchase", effects=None, **more) -> None:
        effects = effects or [{"type": "add_points", "config": {"amount": 10}}]
        await self.write("campaign", id, triggers=[{"type": trigger}], effects=effects, **more)

    async def fill(self, pool_id: str, *given: str) -> None:
        async with self.pool.acquire() as connection:
            await code_pools.add(connection, self.org_id, pool_id, given)

    def arrival(self, user_id: str = "ann", trigger: str = "purchase", key: str | None = None, **data):
        now = clock.now()
        return arrival_from_client(
            org_id=self.org_id, user_id=user_id, kind=ACTION, trigger=trigger, occurred_at=now, received_at=now,
            payload=Payload(data), source="test", event_id=clock.new_uuid7(), event_key=key,
        )  # fmt: skip

    async def program(self):
        return (await self.programmes.current(self.org_id)).compiled

    async def append(self, *arrivals) -> inbox.AppendResult:
        async with self.pool.acquire() as connection:
            return await inbox.append(connection, arrivals)

    def worker(self, lanes: int = 1) -> Worker:
        return Worker(self.pool, self.url, self.programmes, lanes=lanes, run_chores=run_chores_of_worker)

    async def drain(self) -> None:
        """Let a worker work until nothing waits."""
        worker = self.worker()
        await worker.renew_leases()
        try:
            await worker.drain()
        finally:
            await worker.release()

    async def fetch(self, query: str, *arguments) -> list:
        async with self.pool.acquire() as connection:
            return await connection.fetch(query, *arguments)

    async def points(self, user_id: str = "ann") -> int:
        (row,) = await self.fetch(
            "SELECT coalesce(sum(amount), 0) AS amount FROM balances JOIN members USING (bucket, member_id)"
            " WHERE org_id = $1 AND user_id = $2",
            self.org_id,
            user_id,
        )
        return int(row["amount"])

    async def assert_invariants_hold(self) -> None:
        assert await violations(self.url) == []

"""Leases decide which worker serves which bucket.

    256 buckets, 2 workers:      worker A ████████████░░░░░░░░░░░░   holds 0..127, renews every second
                                 worker B ░░░░░░░░░░░░████████████   holds 128..255
    B is killed:                 worker A ████████████┄┄┄┄┄┄┄┄┄┄┄┄   B's leases expire …
                                 worker A ████████████████████████   … and A takes them
    B starts again:              A sees two workers and releases the buckets above its share; B takes them

Leases only spread the work. Correctness depends on the bucket's lock (see `engine/load`): a worker whose lease has
expired cannot decide at the same time as the new holder.
"""

from uuid import UUID

from plaudit.core.ids import BUCKET_COUNT
from plaudit.storage.postgres import Connection, atomic
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)


async def lease(connection: Connection, worker_id: UUID, lease_seconds: float) -> list[int]:
    """Record that the worker is alive, and renew, release or acquire leases up to its fair share. Return its buckets."""
    async with atomic(connection):
        await connection.execute(_SQL.seen, worker_id)
        await connection.execute(_SQL.forget_dead, lease_seconds)
        alive = await connection.fetchval(_SQL.alive)
        share = -(-BUCKET_COUNT // alive)
        rows = await connection.fetch(_SQL.renew, worker_id, lease_seconds)
        held = sorted(row["bucket"] for row in rows)
        if len(held) > share:
            await connection.execute(_SQL.release, worker_id, held[share:])
            held = held[:share]
        if len(held) < share:
            rows = await connection.fetch(_SQL.acquire, worker_id, lease_seconds, share - len(held))
            held = sorted([*held, *(row["bucket"] for row in rows)])
        return held


async def release(connection: Connection, worker_id: UUID) -> None:
    """Release all leases of a worker that stops."""
    async with atomic(connection):
        await connection.execute(_SQL.release, worker_id, list(range(BUCKET_COUNT)))
        await connection.execute(_SQL.remove_worker, worker_id)

"""Which worker sees to which bucket.

    256 buckets, 2 workers:      worker A ████████████░░░░░░░░░░░░   holds 0..127, renews every second
                                 worker B ░░░░░░░░░░░░████████████   holds 128..255
    B is killed:                 worker A ████████████┄┄┄┄┄┄┄┄┄┄┄┄   B's leases run out …
                                 worker A ████████████████████████   … and A takes them
    B starts again:              A finds two workers, lets go of what is above its share, B takes it

A lease keeps workers out of each other's way; it is not what keeps the books right. That is the bucket's lock (see
`engine/load`): a worker that was so slow that its lease ran out still cannot decide beside the new holder.
"""

from uuid import UUID

from plaudit.core.ids import BUCKET_COUNT
from plaudit.storage.postgres import Connection, atomic
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)


async def lease(connection: Connection, worker_id: UUID, lease_seconds: float) -> list[int]:
    """Say that the worker is alive, and renew, release and acquire up to its fair share. Answers what it holds."""
    async with atomic(connection):
        await connection.execute(SQL.seen, worker_id)
        await connection.execute(SQL.forget_dead, lease_seconds)
        alive = await connection.fetchval(SQL.alive)
        share = -(-BUCKET_COUNT // alive)
        rows = await connection.fetch(SQL.renew, worker_id, lease_seconds)
        held = sorted(row["bucket"] for row in rows)
        if len(held) > share:
            await connection.execute(SQL.release, worker_id, held[share:])
            held = held[:share]
        if len(held) < share:
            rows = await connection.fetch(SQL.acquire, worker_id, lease_seconds, share - len(held))
            held = sorted([*held, *(row["bucket"] for row in rows)])
        return held


async def release(connection: Connection, worker_id: UUID) -> None:
    """Let go of everything: the worker stops."""
    async with atomic(connection):
        await connection.execute(SQL.release, worker_id, list(range(BUCKET_COUNT)))
        await connection.execute(SQL.gone, worker_id)

"""The inbox: arrivals are durable before senders get their responses, and many arrivals share one commit.

Requests queue their arrivals and wait. A task stores the queued arrivals as one group, with one statement. The next
group gathers meanwhile, so groups grow with the load.
"""

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec import Struct

from plaudit.errors import Unavailable
from plaudit.storage.postgres import UNREACHABLE, Connection, Pool, array_literal, atomic, with_retries
from plaudit.storage.queries import queries_beside

from .arrival import Arrival
from .recording import RECORDING

_SQL = queries_beside(__file__)

GROUP_ARRIVALS_MAX = 2_000
QUEUED_ARRIVALS_MAX = 50_000  # arrivals that one process holds; more are refused, so memory stays bounded
CONCURRENT_GROUPS = 2  # groups being stored at the same time: one writes while the other's commit is flushed

COLUMNS = (
    "bucket", "event_id", "event_key", "org_id", "member_id", "user_id", "kind", "trigger", "occurred_at",
    "received_at", "source", "fingerprint", "payload",
)  # fmt: skip


class AppendResult(Struct, frozen=True):
    """The result of storing arrivals: new events, and those whose key was used before with different content."""

    new: frozenset[UUID]
    conflicting: frozenset[UUID]


async def append(connection: Connection, arrivals: Sequence[Arrival]) -> AppendResult:
    """Store arrivals in the inbox with one statement. They are durable when it returns.

    The statement checks the log, then the inbox. An event with the same key can move from the inbox to the log in
    between. So the log is checked again before the stored arrivals become visible.
    """
    appended = await _append(connection, arrivals)
    recording = RECORDING.get()
    if recording is not None:
        recording.queued += [
            (arrival.bucket, arrival.event_id) for arrival in arrivals if arrival.event_id in appended.new
        ]
    return appended


async def _append(connection: Connection, arrivals: Sequence[Arrival]) -> AppendResult:
    columns = [[getattr(arrival, name) for arrival in arrivals] for name in COLUMNS]
    if all(arrival.event_key is None for arrival in arrivals):
        rows = await connection.fetch(_SQL.append, *columns)
        return AppendResult(frozenset(row["event_id"] for row in rows), frozenset())
    async with atomic(connection):
        rows = await connection.fetch(_SQL.append, *columns)
        new = frozenset(row["event_id"] for row in rows)
        if new:
            new -= {row["event_id"] for row in await connection.fetch(_SQL.remove_decided, list(new))}
    duplicates = [arrival for arrival in arrivals if arrival.event_id not in new]
    return AppendResult(new, await mismatched(connection, duplicates))


async def mismatched(connection: Connection, duplicates: Iterable[Arrival]) -> frozenset[UUID]:
    """Return the ids of the events whose key was used before with different content."""
    by_id = {arrival.event_id: arrival for arrival in duplicates}
    rows = await connection.fetch(_SQL.fingerprints, list(by_id)) if by_id else []
    return frozenset(row["event_id"] for row in rows if not by_id[row["event_id"]].says(row["fingerprint"]))


async def peek(connection: Connection, buckets: Sequence[int], size: int) -> list[Arrival]:
    """Return up to `size` of the next arrivals of these buckets, in order of arrival within each."""
    return [Arrival(*row) for row in await connection.fetch(_SQL.peek, buckets, size)]


async def fetch_waiting(connection: Connection, bucket: int, event_ids: Sequence[UUID]) -> list[Arrival]:
    """Return which of these events are waiting in a bucket, in order of arrival."""
    return [Arrival(*row) for row in await connection.fetch(_SQL.waiting, bucket, event_ids)]


async def remove(connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Remove arrivals from the inbox. Return those that were still there: another worker can have taken a slow lease."""
    waiting = [arrival for arrival in arrivals if arrival.inbox_id is not None]
    if not waiting:
        return list(arrivals)
    buckets = array_literal([arrival.bucket for arrival in waiting])
    ids = array_literal([arrival.inbox_id or 0 for arrival in waiting])
    removed_ids = await connection.fetchval(_SQL.remove, buckets, ids, len(waiting))
    if removed_ids is None:
        return list(arrivals)
    removed = set(removed_ids)
    return [arrival for arrival in arrivals if arrival.inbox_id is None or arrival.inbox_id in removed]


async def retry_failed(connection: Connection, org_id: UUID, event_id: UUID) -> bool:
    """Queue a failed event again. Return False if no failed event has that id."""
    async with atomic(connection):
        buckets = await connection.fetch(_SQL.requeue_failed, org_id, event_id)
        if not buckets:
            return False
        await connection.execute(_SQL.forget_failed, org_id, event_id)
        recording = RECORDING.get()
        if recording is not None:
            recording.queued += [(row["bucket"], event_id) for row in buckets]
        return True


class Inbox:
    """A process's access to the inbox. It groups arrivals that come at the same time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: list[tuple[Sequence[Arrival], asyncio.Future[AppendResult]]] = []
        self._size = 0  # of all waiting arrivals
        self._senders: set[asyncio.Task[None]] = set()

    async def append(self, arrivals: Sequence[Arrival]) -> AppendResult:
        """Store arrivals durably. Raise Unavailable if the queue is full, or the database's error; then none is stored."""
        if self._size + len(arrivals) > QUEUED_ARRIVALS_MAX:
            raise Unavailable(
                "Overloaded: actions arrive faster than the database stores them. Retry with backoff", code="overloaded"
            )
        self._size += len(arrivals)
        result: asyncio.Future[AppendResult] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrivals, result))
        if len(self._senders) < CONCURRENT_GROUPS:
            sender = asyncio.create_task(self._send_groups())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        return await result

    async def _send_groups(self) -> None:
        while self._waiting:
            group = self._next_group()
            together = [arrival for arrivals, _ in group for arrival in arrivals]
            try:
                async with self._pool.acquire() as connection:
                    appended = await with_retries(lambda: append(connection, together))  # noqa: B023
            except UNREACHABLE as error:
                for _, result in group:
                    _fail(result, error)
            except Exception as error:
                await self._send_one_by_one(group, error)
            else:
                for _, result in group:
                    if not result.done():
                        result.set_result(appended)

    async def _send_one_by_one(
        self, group: list[tuple[Sequence[Arrival], asyncio.Future[AppendResult]]], error: Exception
    ) -> None:
        """Store each request's arrivals separately, so that those that the database refuses do not fail the others."""
        for arrivals, result in group:
            if len(group) == 1:
                _fail(result, error)
                continue
            try:
                async with self._pool.acquire() as connection:
                    appended = await append(connection, arrivals)
            except Exception as own:
                _fail(result, own)
            else:
                if not result.done():
                    result.set_result(appended)

    def _next_group(self) -> list[tuple[Sequence[Arrival], asyncio.Future[AppendResult]]]:
        size, count = 0, 0
        for arrivals, _ in self._waiting:
            if count and size + len(arrivals) > GROUP_ARRIVALS_MAX:
                break
            size += len(arrivals)
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        self._size -= size
        return group


def _fail(result: "asyncio.Future[AppendResult]", error: BaseException) -> None:
    if not result.done():
        result.set_exception(error)

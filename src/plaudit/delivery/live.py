"""Live streams: notify members' apps of changes within milliseconds.

    commit ──NOTIFY plaudit_members──► one connection per process ──► one query for all named members ──► their streams

A notification can be lost with its connection, and a batch may have read the watched buckets just before a stream was
opened. So every stream also queries one second after it was opened, and with each heartbeat.
"""

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog

from plaudit.chores.chore import Chore, run_chores
from plaudit.core.ids import bucket_of
from plaudit.errors import RateLimited, Unavailable
from plaudit.reads import notifications
from plaudit.reads.notifications import NotificationRow
from plaudit.storage.postgres import UNREACHABLE, Pool, listen, run_forever, with_retries
from plaudit.storage.watches import CHANNEL, WATCHED_SECONDS, name_of, watch
from plaudit.tasks import run_together

STREAMS_OF_MEMBER_MAX = 5
STREAMS_MAX = 20_000
WAITING_MAX = 100  # notifications; a stream that reads more slowly is ended, and resumes where it was
NOTIFICATIONS_PER_QUERY = 2_000
HEARTBEAT_SECONDS = 15.0
FIRST_REFRESH_SECONDS = 1.0

log = structlog.get_logger(__name__)


class LiveStream:
    """One app's stream of notifications and changes. It is `ended` if the app reads too slowly.

    `reset`: the app asked to resume after a notification that this database does not have, so the stream starts now.
    """

    def __init__(self, member_id: UUID, seen: int) -> None:
        self.member_id: Final = member_id
        self.seen = seen
        self.reset = False
        self.ended = False
        self._notes: list[NotificationRow] = []
        self._changed = False
        self._wake = asyncio.Event()

    def end(self) -> None:
        """End the stream, so that its reader reconnects."""
        self.ended = True
        self._wake.set()

    def push(self, notes: list[NotificationRow], *, changed: bool) -> None:
        """Add new notifications, and whether anything else has changed."""
        new = [note for note in notes if note.sequence > self.seen]
        if new:
            self.seen = new[-1].sequence
        self._notes += new
        self._changed |= changed or bool(new)
        if len(self._notes) > WAITING_MAX:
            self.end()
        if self._changed:
            self._wake.set()

    async def next(self, seconds: float) -> tuple[list[NotificationRow], bool]:
        """Wait up to `seconds`. Return the new notifications, and whether anything has changed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        self._wake.clear()
        notes, self._notes = self._notes, []
        changed, self._changed = self._changed, False
        return notes, changed


class LiveStreams:
    """The open streams of this process."""

    def __init__(self, pool: Pool, url: str) -> None:
        self._pool = pool
        self._url = url
        self._by_name: dict[str, set[LiveStream]] = defaultdict(set)
        self._count = 0
        self._notified: set[str] = set()  # members that a notification has named
        self._to_refresh: set[str] = set()  # members to query without a notification
        self._wake = asyncio.Event()
        self._watched: dict[int, float] = {}
        self._ending = False

    async def run(self) -> None:
        """Listen for notifications and serve the streams until cancelled."""
        every = WATCHED_SECONDS / 4
        watching = Chore("watch_streams", every, self._keep_watching, back_off_max=every)
        await run_together(
            run_chores([watching]),
            listen(self._url, {CHANNEL: self._on_notify}, self._send_to_all),
            run_forever("tell_streams", self._send_waiting, every=0),
        )

    async def open(self, member_id: UUID, seen: int | None) -> LiveStream:
        """Return a stream of the notifications after `seen` (None: from now on). Raise RateLimited or Unavailable.

        A `seen` that is later than all of the member's notifications comes from another database, such as the one
        before a restore.
        """
        name = name_of(member_id)
        if (
            sum(live_stream.member_id == member_id for live_stream in self._by_name.get(name, ()))
            >= STREAMS_OF_MEMBER_MAX
        ):
            raise RateLimited(
                f"A member may have at most {STREAMS_OF_MEMBER_MAX} open streams", code="too_many_streams"
            )
        if self._count >= STREAMS_MAX or self._ending:
            raise Unavailable("Too many open streams on this server; retry")
        stream = LiveStream(member_id, 0 if seen is None else seen)
        self._by_name[name].add(stream)
        self._count += 1
        try:
            await self._watch([bucket_of(member_id)])
            async with self._pool.acquire() as connection:
                last = await notifications.last(connection, member_id)
            if seen is None:
                stream.seen = max(stream.seen, last)
            elif seen > last:
                stream.seen, stream.reset = last, True
        except BaseException:
            self.close(stream)
            raise
        if seen is not None:
            self.refresh(stream)
        asyncio.get_running_loop().call_later(FIRST_REFRESH_SECONDS, self.refresh, stream)
        return stream

    def close(self, stream: LiveStream) -> None:
        """Close a stream."""
        name = name_of(stream.member_id)
        streams = self._by_name.get(name, set())
        if stream in streams:
            streams.discard(stream)
            self._count -= 1
        if not streams:
            self._by_name.pop(name, None)

    def end(self) -> None:
        """End all streams before the process ends; their readers reconnect to another process."""
        self._ending = True
        for streams in self._by_name.values():
            for stream in streams:
                stream.end()

    def refresh(self, stream: LiveStream) -> None:
        """Query for a stream, even without a notification from a commit."""
        name = name_of(stream.member_id)
        if stream in self._by_name.get(name, ()):
            self._to_refresh.add(name)
            self._wake.set()

    def _on_notify(self, payload: str) -> None:
        notified = self._by_name.keys() & payload.split(",")
        if notified:
            self._notified |= notified
            self._wake.set()

    def _send_to_all(self) -> None:
        """Query for all streams, since any member may have been named by a notification that was missed."""
        self._notified |= self._by_name.keys()
        self._wake.set()

    async def _send_waiting(self) -> None:
        await self._wake.wait()
        self._wake.clear()
        notified, to_refresh = self._notified, self._to_refresh
        self._notified, self._to_refresh = set(), set()
        try:
            await self._send_to(notified, to_refresh)
        except UNREACHABLE:
            self._notified |= notified
            self._to_refresh |= to_refresh
            self._wake.set()
            raise

    async def _send_to(self, notified: set[str], to_refresh: set[str]) -> None:
        streams = [live_stream for name in notified | to_refresh for live_stream in self._by_name.get(name, ())]
        seen: dict[UUID, int] = {}
        for stream in streams:
            seen[stream.member_id] = min(stream.seen, seen.get(stream.member_id, stream.seen))
        if not seen:
            return
        async with self._pool.acquire() as connection:
            rows = await notifications.after(connection, seen, NOTIFICATIONS_PER_QUERY)
        notes: dict[UUID, list[NotificationRow]] = defaultdict(list)
        for member_id, note in rows:
            notes[member_id].append(note)
        for stream in streams:
            stream.push(notes[stream.member_id], changed=name_of(stream.member_id) in notified)
        if len(rows) == NOTIFICATIONS_PER_QUERY:  # query the rest next
            self._to_refresh |= notified | to_refresh
            self._wake.set()

    async def _watch(self, buckets: list[int]) -> None:
        """Watch these buckets, except those whose watch lasts long enough."""
        now = asyncio.get_running_loop().time()
        missing = sorted(bucket for bucket in buckets if self._watched.get(bucket, 0) < now + WATCHED_SECONDS / 2)
        if not missing:
            return
        async with self._pool.acquire() as connection:
            await with_retries(lambda: watch(connection, missing))
        self._watched.update(dict.fromkeys(missing, now + WATCHED_SECONDS))

    async def _keep_watching(self) -> bool:
        members = {stream.member_id for streams in self._by_name.values() for stream in streams}
        await self._watch(list({bucket_of(member_id) for member_id in members}))
        return False

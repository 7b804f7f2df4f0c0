"""Live streams: a member's app learns within milliseconds what has changed.

    commit ──NOTIFY plaudit_members──► one connection a process ──► one query for all members named ──► their streams

A notification can be lost with its connection, and a batch may have read the list of watched members just before a
stream began. So every stream also queries once a second after it began, and with each heartbeat.
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
WAITING_MAX = 100  # what a stream may have waiting; one that reads more slowly is ended, and resumes where it was
NOTIFICATIONS_PER_QUERY = 2_000
HEARTBEAT_SECONDS = 15.0
FIRST_REFRESH_SECONDS = 1.0

log = structlog.get_logger(__name__)


class LiveStream:
    """What one app receives: notifications, and that something has changed. It is `ended` if the app reads too slowly.

    `reset`: the stream was to resume after a notification that this database has never reached; it starts at the
    present.
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
        """Add what is new."""
        fresh = [note for note in notes if note.sequence > self.seen]
        if fresh:
            self.seen = fresh[-1].sequence
        self._notes += fresh
        self._changed |= changed or bool(fresh)
        if len(self._notes) > WAITING_MAX:
            self.end()
        if self._changed:
            self._wake.set()

    async def next(self, seconds: float) -> tuple[list[NotificationRow], bool]:
        """Return what is new, and whether anything has changed; nothing if nothing happens within `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        self._wake.clear()
        found, self._notes = self._notes, []
        changed, self._changed = self._changed, False
        return found, changed


class LiveStreams:
    """The open streams of this process."""

    def __init__(self, pool: Pool, url: str) -> None:
        self._pool = pool
        self._url = url
        self._held: dict[str, set[LiveStream]] = defaultdict(set)
        self._count = 0
        self._named: set[str] = set()  # for whom commits have said that something changed
        self._look: set[str] = set()  # for whom to look all the same
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
        """Return a stream of what comes after `seen` (None: from now on). Raise RateLimited, or Unavailable.

        A `seen` beyond everything that the member has received comes from another database, such as one before a
        restore.
        """
        name = name_of(member_id)
        if sum(live_stream.member_id == member_id for live_stream in self._held.get(name, ())) >= STREAMS_OF_MEMBER_MAX:
            raise RateLimited(
                f"A member may have at most {STREAMS_OF_MEMBER_MAX} open streams", code="too_many_streams"
            )
        if self._count >= STREAMS_MAX or self._ending:
            raise Unavailable("Too many open streams on this server; retry")
        stream = LiveStream(member_id, 0 if seen is None else seen)
        self._held[name].add(stream)
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
        streams = self._held.get(name, set())
        if stream in streams:
            streams.discard(stream)
            self._count -= 1
        if not streams:
            self._held.pop(name, None)

    def end(self) -> None:
        """End all streams before the process ends; their readers reconnect to another process."""
        self._ending = True
        for streams in self._held.values():
            for stream in streams:
                stream.end()

    def refresh(self, stream: LiveStream) -> None:
        """Query what is new for a stream, even without a notification."""
        name = name_of(stream.member_id)
        if stream in self._held.get(name, ()):
            self._look.add(name)
            self._wake.set()

    def _on_notify(self, said: str) -> None:
        named = self._held.keys() & said.split(",")
        if named:
            self._named |= named
            self._wake.set()

    def _send_to_all(self) -> None:
        """Check every stream: notifications that were missed may concern any member."""
        self._named |= self._held.keys()
        self._wake.set()

    async def _send_waiting(self) -> None:
        await self._wake.wait()
        self._wake.clear()
        named, look = self._named, self._look
        self._named, self._look = set(), set()
        try:
            await self._send_to(named, look)
        except UNREACHABLE:
            self._named |= named
            self._look |= look
            self._wake.set()
            raise

    async def _send_to(self, named: set[str], look: set[str]) -> None:
        streams = [live_stream for name in named | look for live_stream in self._held.get(name, ())]
        seen: dict[UUID, int] = {}
        for stream in streams:
            seen[stream.member_id] = min(stream.seen, seen.get(stream.member_id, stream.seen))
        if not seen:
            return
        async with self._pool.acquire() as connection:
            found = await notifications.after(connection, seen, NOTIFICATIONS_PER_QUERY)
        notes: dict[UUID, list[NotificationRow]] = defaultdict(list)
        for member_id, note in found:
            notes[member_id].append(note)
        for stream in streams:
            stream.push(notes[stream.member_id], changed=name_of(stream.member_id) in named)
        if len(found) == NOTIFICATIONS_PER_QUERY:  # there is more
            self._look |= named | look
            self._wake.set()

    async def _watch(self, buckets: list[int]) -> None:
        """Have these buckets announced, unless they are for long enough."""
        now = asyncio.get_running_loop().time()
        missing = sorted(bucket for bucket in buckets if self._watched.get(bucket, 0) < now + WATCHED_SECONDS / 2)
        if not missing:
            return
        async with self._pool.acquire() as connection:
            await with_retries(lambda: watch(connection, missing))
        self._watched.update(dict.fromkeys(missing, now + WATCHED_SECONDS))

    async def _keep_watching(self) -> bool:
        held = {stream.member_id for streams in self._held.values() for stream in streams}
        await self._watch(list({bucket_of(id_) for id_ in held}))
        return False

"""The worker: leases buckets, and processes the waiting events and due timers of their members.

A lane is a task with its own connection. One lane does all the work while it keeps up, since few small batches are
faster than many tiny ones. When it falls behind, the lanes share the buckets: one lane decides while the database commits
another's batch.
"""

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import structlog

from plaudit import clock, telemetry
from plaudit.core.ids import BUCKET_COUNT
from plaudit.core.program import Program
from plaudit.guard import in_hand, known
from plaudit.storage import suspects
from plaudit.storage.postgres import UNREACHABLE, Connection, Pool, atomic, listen, run_forever, with_retries
from plaudit.storage.programmes import Programmes
from plaudit.tasks import cancel

from . import inbox, leases, timers
from .arrival import Arrival
from .commit import set_aside
from .load import take_out
from .process import is_duplicate, process
from .processed import ProcessedEvent
from .quarantine import TrialPart, apart, why_set_aside

BATCH_EVENTS_MAX = 1_000
ADD_LANES_AT_EVENTS = 500  # a lane that finds this many events or more has fallen behind
DROP_LANES_AT_EVENTS = 100  # a lane that finds no more than this has caught up
LANES = 5
LEASE_SECONDS = 5.0
TIMERS_SHARE = 0.1  # the largest share of its time that a lane spends on queries for due timers
POLL_SECONDS = 1.0  # how long a lane waits for a notification before it polls
CHORE_CONNECTIONS = 6
# One connection for each lane, those of the chores, one for the leases, and one more: a lane that loads a programme needs
# a second connection, and without a spare one lanes could wait for each other forever.
POOL_SIZE = LANES + CHORE_CONNECTIONS + 2

log = structlog.get_logger(__name__)

RunChores = Callable[[Pool, Programmes], Coroutine[Any, Any, None]]


async def no_chores(_pool: Pool, _programmes: Programmes) -> None:
    """Run no chores, until cancelled."""
    await asyncio.Event().wait()


class Worker:
    """A process's worker. `run` works until `stop` is called, and finishes its batches."""

    def __init__(
        self,
        pool: Pool,
        url: str,
        programmes: Programmes,
        *,
        lease_seconds: float = LEASE_SECONDS,
        lanes: int = LANES,
        run_chores: RunChores = no_chores,
    ) -> None:
        self._pool = pool
        self._url = url
        self._programmes = programmes
        self._lease_seconds = lease_seconds
        self._lanes = lanes
        self._worker_id = uuid4()
        self._held: list[int] = []
        self._due: set[int] = set()  # buckets that may have events in the inbox
        self._behind = False
        self._timer_query_seconds = [0.0] * lanes  # how long each lane's last query for due timers took
        self._last = [-1] * lanes  # the bucket with which each lane's last full batch ended
        self._busy: set[int] = set()  # buckets of the batches in progress
        self._wakes = [asyncio.Event() for _ in range(lanes)]
        self._decide_lock = asyncio.Lock()  # one batch is decided at a time, as two would slow each other down
        self._run_chores = run_chores
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`. Raise RuntimeError if a task ends by itself, as the rest would keep the leases."""
        others: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._stopping.wait()),
            asyncio.create_task(run_forever("keep_leases", self._keep_leases, every=self._lease_seconds / 5)),
            asyncio.create_task(listen(self._url, {"plaudit_inbox": self._on_notify}, self._mark_all_due)),
            asyncio.create_task(self._run_chores(self._pool, self._programmes)),
        ]
        lanes = [asyncio.create_task(self._run_lane(lane)) for lane in range(self._lanes)]
        try:
            await asyncio.wait([*others, *lanes], return_when=asyncio.FIRST_COMPLETED)
            if not self._stopping.is_set():
                raise RuntimeError("a task of the worker has ended")
            await asyncio.gather(*lanes)  # each finishes its current batch
        finally:
            await cancel([*others, *lanes])
            with suppress(*UNREACHABLE):
                await self.release()

    def stop(self) -> None:
        """Finish the current batches and end."""
        self._stopping.set()
        for wake in self._wakes:
            wake.set()

    async def renew_leases(self) -> list[int]:
        """Renew the leases once. Return the buckets held."""
        async with self._pool.acquire() as connection:
            held = await leases.lease(connection, self._worker_id, self._lease_seconds)
            await suspects.learn(connection)  # events in these buckets may have stopped another worker
        self._due |= set(held) - set(self._held)
        self._held = held
        return held

    async def release(self) -> None:
        """Release all buckets."""
        async with self._pool.acquire() as connection:
            await leases.release(connection, self._worker_id)
        self._held = []

    async def drain(self) -> int:
        """Process all waiting events, with all lanes. Return their number."""

        async def drain_lane(lane: int) -> int:
            count = 0
            while events := await self.run_once(lane):
                count += events
            return count

        count = 0
        while self._due.intersection(self._held):
            self._behind = True
            count += sum(await asyncio.gather(*map(drain_lane, range(self._lanes))))
        return count

    async def run_once(self, lane: int = 0) -> int:
        """Process one batch from the inbox. Return the number of events."""
        buckets = _round_robin(self._due.intersection(self._lane_buckets(lane)) - self._busy, self._last[lane])
        if not buckets:
            return 0
        # Cleared before the query, not after it, since an arrival during the query marks its bucket again.
        self._due.difference_update(buckets)
        self._busy.update(buckets)
        try:
            async with self._pool.acquire() as connection:
                arrivals = await inbox.peek(connection, buckets, BATCH_EVENTS_MAX)
                if len(arrivals) == BATCH_EVENTS_MAX:
                    self._due.update(buckets)
                    self._last[lane] = arrivals[-1].bucket
                self._adjust_lanes(len(arrivals))
                for part in apart(arrivals):
                    await self._process_trial(connection, part)
        except BaseException:  # even if no connection is available
            self._due.update(buckets)
            raise
        finally:
            self._busy.difference_update(buckets)
            self._wake()  # another lane may have skipped these buckets
        return len(arrivals)

    async def run_timers_once(self, lane: int = 0) -> int:
        """Run the due timers of members without events. Return the number of members."""
        buckets = self._held[lane :: self._lanes]
        if not buckets:
            return 0
        loop = asyncio.get_running_loop()
        async with self._pool.acquire() as connection:
            started = loop.time()
            ticks = await timers.fetch_due(connection, buckets, BATCH_EVENTS_MAX)
            self._timer_query_seconds[lane] = loop.time() - started
            for part in apart([tick for tick in ticks if tick.member_id not in known.members]):
                await self._process_trial(connection, part)
        return len(ticks)

    def _lane_buckets(self, lane: int) -> list[int]:
        """Return the buckets that a lane serves now."""
        if self._behind:
            return self._held[lane :: self._lanes]
        return self._held if lane == 0 else []

    def _adjust_lanes(self, events: int) -> None:
        """Start or stop the other lanes, depending on how many `events` a lane has found."""
        behind = events >= ADD_LANES_AT_EVENTS or (self._behind and events > DROP_LANES_AT_EVENTS)
        if behind != self._behind:
            self._behind = behind
            self._wake()

    async def _process_trial(self, connection: Connection, part: TrialPart) -> None:
        """Process a part of the arrivals. Set aside an event that stops processes."""
        if part.stopped is not None:
            await self._set_aside(connection, part.arrivals, why_set_aside(part.arrivals[0], part.stopped))
            if part.stopped.org_id is None:  # now that its organisation is known, the whole organisation may be suspect
                await suspects.learn(connection)
            return
        with in_hand.batch(arrival.event_id for arrival in part.arrivals):
            await self._process_batch(connection, part.arrivals)
        if part.suspected:
            await suspects.clear(connection, part.arrivals[0].event_id)

    async def _programs_of(
        self, connection: Connection, arrivals: Sequence[Arrival]
    ) -> tuple[dict[UUID, Program], Sequence[Arrival]]:
        """Return the programmes of a batch. Set aside events whose organisation's programme cannot be compiled."""
        programmes: dict[UUID, Program] = {}
        org_ids = {arrival.org_id for arrival in arrivals}
        changed = await self._programmes.changed(connection, org_ids)
        for org_id in org_ids:
            try:
                programme = self._programmes.refresh(org_id) if org_id in changed else self._programmes.current(org_id)
                programmes[org_id] = (await programme).compiled
            except UNREACHABLE:
                raise
            except Exception as problem:
                error = traceback.format_exc(limit=-20)
                await self._set_aside(
                    connection, [arrival for arrival in arrivals if arrival.org_id == org_id], error, problem
                )
        return programmes, [arrival for arrival in arrivals if arrival.org_id in programmes]

    async def _process_batch(self, connection: Connection, arrivals: Sequence[Arrival]) -> None:
        """Process a batch. If it cannot be written, halve it until the failing event is alone, and set that one aside."""
        programmes, arrivals = await self._programs_of(connection, arrivals)
        if not arrivals:
            return
        at = clock.now()
        try:
            processed = await self._process_with_retry(connection, programmes, arrivals, at)
        except UNREACHABLE:
            raise
        except Exception as error:
            # A duplicate: the event was sent for two members, and another batch has committed it. It stays in the inbox
            # until the next batch finds it in the log.
            if not is_duplicate(error):
                await self._bisect(connection, arrivals, error)
        else:
            _count(processed, at)

    async def _process_with_retry(
        self, connection: Connection, programmes: dict[UUID, Program], arrivals: Sequence[Arrival], at: datetime
    ) -> list[ProcessedEvent]:
        async def attempt(*, skip_duplicate_check: bool) -> list[ProcessedEvent]:
            with telemetry.batch_seconds.time():
                return await with_retries(
                    lambda: process(
                        connection,
                        programmes,
                        arrivals,
                        at,
                        skip_duplicate_check=skip_duplicate_check,
                        with_decisions=False,
                        decide_lock=self._decide_lock,
                    )
                )

        try:
            return await attempt(skip_duplicate_check=True)
        except asyncpg.UniqueViolationError as error:
            if not is_duplicate(error):
                raise
            # An event that timed out inline can be in both the inbox and the log.
            return await attempt(skip_duplicate_check=False)

    async def _bisect(self, connection: Connection, arrivals: Sequence[Arrival], problem: Exception) -> None:
        if len(arrivals) > 1:
            middle = len(arrivals) // 2
            await self._process_batch(connection, arrivals[:middle])
            await self._process_batch(connection, arrivals[middle:])
            return
        error = "".join(traceback.format_exception(problem, limit=-20, chain=False))
        await self._set_aside(connection, arrivals, error, problem)

    async def _set_aside(
        self, connection: Connection, arrivals: Sequence[Arrival], error: str, problem: Exception | None = None
    ) -> None:
        """Set events aside with their error. The log gets `problem` without its message, which can quote personal data."""
        ids = [str(arrival.event_id) for arrival in arrivals]
        log.error("event_failed", event_ids=ids, exc_info=problem, **({} if problem else {"reason": error}))
        at = clock.now()
        async with atomic(connection):
            taken = await take_out(connection, arrivals)
            failed = [ProcessedEvent(arrival=arrival, state="failed", error=error) for arrival in taken]
            await set_aside(connection, failed, at)
            for arrival in taken:
                await suspects.store_org(connection, arrival.event_id, arrival.org_id)
        _count(failed, at)

    async def _run_lane(self, lane: int) -> None:
        wake = self._wakes[lane]
        loop = asyncio.get_running_loop()
        timers_at = loop.time()
        while not self._stopping.is_set():
            if loop.time() >= timers_at:  # even on a lane that is never idle
                await self._run_timers(lane)
                timers_at = loop.time() + max(POLL_SECONDS, self._timer_query_seconds[lane] / TIMERS_SHARE)
            # Cleared before the query: a notification during it must not be lost.
            wake.clear()
            try:
                if await self.run_once(lane):
                    continue
            except UNREACHABLE:
                await asyncio.sleep(0.2)
                continue
            except Exception:
                log.exception("batch_failed", lane=lane)
                await asyncio.sleep(0.2)
                continue
            if self._stopping.is_set():
                return
            try:
                await asyncio.wait_for(wake.wait(), POLL_SECONDS)
            except TimeoutError:
                self._due.update(self._lane_buckets(lane))

    async def _run_timers(self, lane: int) -> None:
        try:
            while await self.run_timers_once(lane) == BATCH_EVENTS_MAX and not self._stopping.is_set():
                pass
        except UNREACHABLE:
            pass
        except Exception:
            log.exception("timers_failed", lane=lane)

    async def _keep_leases(self) -> None:
        before = len(self._held)
        if len(await self.renew_leases()) != before:
            self._wake()

    def _on_notify(self, buckets: str) -> None:
        self._due.update(map(int, buckets.split(",")))
        self._wake()

    def _mark_all_due(self) -> None:
        self._due.update(self._held)
        self._wake()

    def _wake(self) -> None:
        for wake in self._wakes if self._behind else self._wakes[:1]:
            wake.set()


def _round_robin(buckets: Iterable[int], last: int) -> list[int]:
    """Return buckets in round-robin order, starting after the last one served, so that each gets its turn."""
    return sorted(buckets, key=lambda bucket: (bucket - last - 1) % BUCKET_COUNT)


def _count(processed: Sequence[ProcessedEvent], at: datetime) -> None:
    """Count the events of a batch. Counting each event separately would cost as much as evaluating a condition."""
    for state, number in Counter(processed_event.state for processed_event in processed).items():
        telemetry.events_decided.labels(state).inc(number)
    oldest = min((processed_event.arrival.received_at for processed_event in processed), default=at)
    telemetry.decide_lag_seconds.observe((at - oldest).total_seconds())

"""The delivery of messages as a process of its own: the engine never waits for anybody's webhook."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
import structlog

from plaudit import clock, telemetry, tracing
from plaudit.core.ids import derived_id
from plaudit.documents.kinds import KINDS
from plaudit.documents.webhook import WEBHOOK_DISABLED
from plaudit.errors import NotFound
from plaudit.messages import payload_of
from plaudit.storage.documents import Change, update
from plaudit.storage.postgres import AWAY_SECONDS, UNREACHABLE, Pool, create_pool, keep_doing, listen
from plaudit.storage.programs import Live, Programs

from . import outbox
from .outbox import SQL, Due
from .push import Provider, WebPush
from .signatures import signed_headers
from .webhooks import ATTEMPT_SECONDS, Attempt, Sender

T = TypeVar("T")

POLL_SECONDS = 1.0
AT_ONCE = 50
CLEAR_EVERY_SECONDS = 3_600
LOOKS_MAX = round((outbox.LEASE.total_seconds() - ATTEMPT_SECONDS) / AWAY_SECONDS)  # then the message may be another's
USER_AGENT = "Plaudit-Webhooks/1"

log = structlog.get_logger(__name__)


class Deliverer:
    """Hands out and delivers until stopped. `once` is one bounded pass."""

    def __init__(self, pool: Pool, url: str, programs: Programs, sender: Sender) -> None:
        self._pool = pool
        self._url = url
        self._programs = programs
        self._sender = sender
        self._push = WebPush(pool, sender)
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """End after what is being tried."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`."""
        listening = listen(self._url, {"plaudit_outbox": lambda _: self._wake.set()}, self._wake.set)
        chores = [
            asyncio.create_task(listening),
            asyncio.create_task(keep_doing("outbox_not_cleared", self._clear, every=CLEAR_EVERY_SECONDS)),
        ]
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                try:
                    if await self.once():
                        continue
                except UNREACHABLE:
                    await asyncio.sleep(0.5)
                except Exception:
                    log.exception("delivery_failed")
                    await asyncio.sleep(0.5)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        finally:
            for task in chores:
                task.cancel()
            await asyncio.gather(*chores, *self._running, return_exceptions=True)

    async def once(self) -> int:
        """Hand out what there is, and begin what is due. Answers how much that was."""
        async with self._pool.acquire() as connection:
            handed = await outbox.hand_out(connection, self._programs, clock.now())
            free = AT_ONCE - len(self._running)
            due = await outbox.take(connection, clock.now(), free) if free > 0 else []
        for one in due:
            task = asyncio.create_task(self._deliver(one))
            self._running.add(task)
            task.add_done_callback(self._done)
        return handed + len(due)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()  # what waited for it, for its order or for a free place

    async def _deliver(self, due: Due) -> None:
        try:
            attempt = await self._reached(lambda: self._attempt(due))
            telemetry.webhook_attempts.labels("delivered" if attempt.succeeded else "failed").inc()
            if await self._reached(lambda: self._note(due, attempt)):
                await self._disable(due.org_id, due.webhook_id)
        except UNREACHABLE:
            pass  # the lease ends, and it is tried again
        except Exception:
            log.exception("delivery_failed", webhook_id=due.webhook_id, message_id=str(due.message_id))

    async def _reached(self, once: Callable[[], Awaitable[T]]) -> T:
        """`once`, again while the database is away: a message in hand neither waits for its lease nor goes out twice."""
        for _ in range(LOOKS_MAX):
            try:
                return await once()
            except UNREACHABLE:
                if self._stopping.is_set():
                    raise
                await asyncio.sleep(AWAY_SECONDS)
        return await once()

    async def _attempt(self, due: Due) -> Attempt:
        provider: Provider = self._push if due.webhook_id.startswith(outbox.PUSH) else self
        return await provider.send(await self._programs.live(due.org_id), due)

    async def _note(self, due: Due, attempt: Attempt) -> bool:
        async with self._pool.acquire() as connection:
            return await outbox.note(connection, due, attempt, clock.now())

    async def send(self, live: Live, due: Due) -> Attempt:
        """One attempt at a webhook, signed."""
        webhook = live.webhooks.get(due.webhook_id)
        if webhook is None or webhook.url is None or webhook.status != "active":
            return Attempt(None, "the webhook is gone or inactive", 0)
        body = due.payload.encode()
        async with self._pool.acquire() as connection:
            secrets = await outbox.secrets_of(connection, due.org_id, due.webhook_id, clock.now())
        timestamp = int(clock.now().timestamp())
        headers = signed_headers(f"msg_{due.message_id.hex}", timestamp, body, secrets.all)
        told = msgspec.json.decode(body)
        headers |= {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        if told.get("correlationId"):
            headers["X-Correlation-ID"] = told["correlationId"]
        started = tracing.now()
        attempt = await self._sender.attempt(webhook.url, headers, body)
        tracing.record(
            "webhook", told.get("correlationId"), started, "client", type=told["type"], succeeded=attempt.succeeded
        )
        return attempt

    async def _disable(self, org_id: UUID, webhook_id: str) -> None:
        """Give up on a webhook that has failed for days, and say so to the others."""
        at = clock.now()
        change = Change(org_id=org_id, kind=KINDS["webhook"], id=webhook_id, by="plaudit", at=at)
        with suppress(NotFound):
            async with self._pool.acquire() as connection:
                await update(connection, change, {"status": "inactive"})
                await connection.execute(SQL.disabled, org_id, webhook_id, at)
                await self._tell_disabled(connection, org_id, webhook_id, at)
            await self._programs.refresh(org_id)
            log.warning("webhook_disabled", webhook_id=webhook_id)

    async def _tell_disabled(self, connection: outbox.Connection, org_id: UUID, webhook_id: str, at: datetime) -> None:
        message_id = derived_id(org_id, f"{webhook_id} disabled {at.isoformat()}")
        payload = payload_of(message_id, WEBHOOK_DISABLED, org_id, at, {"webhookId": webhook_id})
        await outbox.tell(connection, org_id, message_id, WEBHOOK_DISABLED, payload, at, None)

    async def _clear(self) -> None:
        async with self._pool.acquire() as connection:
            await outbox.clear(connection, clock.now())


async def run_delivery(url: str, *, private: bool) -> None:
    """Deliver until SIGTERM or SIGINT."""
    pool = await create_pool(url, size=6)
    programs = Programs(pool, url)
    sender = Sender(private=private)
    deliverer = Deliverer(pool, url, programs, sender)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, deliverer.stop)
    listening = asyncio.create_task(programs.listen())
    try:
        await deliverer.run()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await sender.close()
        await pool.close()

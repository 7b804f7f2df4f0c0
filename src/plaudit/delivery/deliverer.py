"""Deliver messages in a separate process, so that the engine never waits for a webhook."""

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import TypeVar

import msgspec
import structlog

from plaudit import clock, telemetry, tracing
from plaudit.chores.chore import Chore, run_chores
from plaudit.chores.learn_suspects import learn_suspects
from plaudit.core.ids import derived_id
from plaudit.documents.kinds import KINDS
from plaudit.documents.webhook import WEBHOOK_DISABLED
from plaudit.errors import NotFound
from plaudit.guard import Suspect, in_hand, known
from plaudit.messages import WebhookDisabledData, payload_of
from plaudit.storage.documents import Change, deactivate
from plaudit.storage.outgoing import enqueue
from plaudit.storage.postgres import RECONNECT_SECONDS, UNREACHABLE, Connection, Pool, atomic, create_pool, listen
from plaudit.storage.programmes import Programme, Programmes
from plaudit.storage.suspects import clear, learn, note_what_was_done
from plaudit.tasks import cancel

from . import attempts
from .attempts import DueDelivery
from .conditions import evaluate_conditions
from .hand_out import buckets_with_news, hand_out
from .listeners import Listeners
from .places import Places
from .signatures import signed_headers
from .web_push import DeliveryChannel, WebPush
from .webhooks import Attempt, WebhookClient, error_of

T = TypeVar("T")

POLL_SECONDS = 1.0
CLEAR_EVERY_SECONDS = 3_600
RENEW_EVERY_SECONDS = 2.0
UNREACHABLE_SECONDS_MAX = 45.0
RECONNECTS_MAX = round(UNREACHABLE_SECONDS_MAX / RECONNECT_SECONDS)
USER_AGENT = "Plaudit-Webhooks/1"
CORRELATION_ID = re.compile(r"[\x21-\x7e]{1,200}")  # the characters that a header can contain

log = structlog.get_logger(__name__)


class Deliverer:
    """Hands out and delivers messages until stopped. `once` is one bounded pass."""

    def __init__(self, pool: Pool, url: str, programmes: Programmes, sender: WebhookClient) -> None:
        self._pool = pool
        self._url = url
        self._programmes = programmes
        self._sender = sender
        self._push = WebPush(pool, sender)
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self._news: set[int] = set()  # buckets named by notifications
        self._evaluating = False  # whether deliveries may have conditions to evaluate
        self._check_all_at = 0.0  # when to check all buckets, with or without notifications
        self._listeners = Listeners(programmes)
        self._places = Places()
        self._running: dict[asyncio.Task[None], DueDelivery] = {}

    def stop(self) -> None:
        """Stop after the attempts in progress."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`."""
        listening = listen(self._url, {"plaudit_outbox": self._on_notify}, lambda: self._on_notify(""))
        chores = [
            Chore("keep_deliveries", RENEW_EVERY_SECONDS, self._renew_leases, back_off_max=RENEW_EVERY_SECONDS),
            Chore("clear_outbox", CLEAR_EVERY_SECONDS, self._clear),
            learn_suspects(self._pool),
        ]
        tasks = [
            asyncio.create_task(listening),
            asyncio.create_task(run_chores(chores)),
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
            await cancel(tasks)
            await asyncio.gather(*self._running, return_exceptions=True)

    async def once(self) -> int:
        """Hand out new messages, evaluate conditions, and start due attempts. Return their total number."""
        async with self._pool.acquire() as connection:
            handed = await self._hand_out(connection)
            if known.all:  # some suspects may have been cleared, to be tried again
                await learn(connection)
            evaluated = await evaluate_conditions(connection, self._listeners, clock.now()) if self._evaluating else 0
            self._evaluating = evaluated > 0
            capacity = self._places.capacity()
            due = [] if capacity is None else await attempts.lease_due(connection, clock.now(), capacity)
            if due and known.all:
                await learn(connection)
        for due_delivery in due:
            self._places.occupy(due_delivery)
            task = asyncio.create_task(self._deliver(due_delivery))
            self._running[task] = due_delivery
            task.add_done_callback(self._done)
        return handed + evaluated + len(due)

    def _on_notify(self, payload: str) -> None:
        """Remember the buckets that a commit has named; if it names none, check all."""
        if payload:
            self._news |= set(map(int, payload.split(",")))
        else:
            self._check_all_at = 0.0
        self._wake.set()

    async def _hand_out(self, connection: Connection) -> int:
        """Hand out the messages of the buckets named by notifications. Return their number.

        Once a second all buckets are checked: a notification may be lost, or another process may have died.
        """
        now = monotonic()
        buckets, self._news = self._news, set()
        if now >= self._check_all_at:
            self._check_all_at = now + POLL_SECONDS
            self._evaluating = True
            buckets = await buckets_with_news(connection)
        if not buckets:
            return 0
        handed, unfinished = await hand_out(connection, self._listeners, buckets, clock.now())
        self._news |= unfinished
        self._evaluating |= handed > 0
        return handed

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()  # deliveries may wait for its place, or to be sent after it

    async def _deliver(self, due: DueDelivery) -> None:
        suspect_id = attempts.suspect_id_of(due.message_id, due.webhook_id)
        stopped = known.stopped(suspect_id)
        await in_hand.steps("message", suspect_id, due.org_id, self._deliver_unless(due, stopped))
        if stopped is None and suspect_id in known.all:
            async with self._pool.acquire() as connection:
                await clear(connection, suspect_id)

    async def _deliver_unless(self, due: DueDelivery, stopped: Suspect | None) -> None:
        attempt = None
        try:
            if stopped is not None:
                attempt = Attempt(None, f"not retried: during the last attempt, {stopped.reason}", 0, final=True)
            else:
                attempt = await self._retry_unreachable(lambda: self._attempt(due))
            telemetry.webhook_attempts.labels("delivered" if attempt.succeeded else "failed").inc()
            failing = await self._retry_unreachable(lambda: self._record(due, attempt))
            if attempt.gone:
                await self._disable(due, "the address returned 410 Gone")
            elif failing:
                await self._disable(due, f"no attempt has succeeded for {attempts.DISABLE_AFTER.days} days")
        except UNREACHABLE:
            pass  # it is retried when the lease ends
        except Exception:
            log.exception("delivery_failed", webhook_id=due.webhook_id, message_id=str(due.message_id))
        finally:
            self._places.release(due, attempt)

    async def _retry_unreachable(self, once: Callable[[], Awaitable[T]]) -> T:
        """Call `once`, and retry while the database is unreachable. Otherwise the delivery would be repeated later."""
        for _ in range(RECONNECTS_MAX):
            try:
                return await once()
            except UNREACHABLE:
                if self._stopping.is_set():
                    raise
                await asyncio.sleep(RECONNECT_SECONDS)
        return await once()

    async def _attempt(self, due: DueDelivery) -> Attempt:
        """Make one attempt. An exception is the attempt's result, unless the database is unreachable."""
        channel: DeliveryChannel = self._push if due.webhook_id.startswith(attempts.PUSH) else self
        try:
            return await channel.send(await self._programmes.current(due.org_id), due)
        except UNREACHABLE:
            raise
        except BaseException as problem:
            return Attempt(None, error_of(problem), 0)

    async def _record(self, due: DueDelivery, attempt: Attempt) -> bool:
        async with self._pool.acquire() as connection:
            return await attempts.record_attempt(connection, due, attempt, clock.now())

    async def send(self, programme: Programme, due: DueDelivery) -> Attempt:
        """Send a signed message to a webhook once. Return the result."""
        webhook = programme.webhooks.get(due.webhook_id)
        if webhook is None or webhook.url is None or webhook.status != "active":
            return Attempt(None, "the webhook was deleted or is inactive", 0)
        body = due.payload.encode()
        async with self._pool.acquire() as connection:
            secrets = await attempts.secrets_of(connection, due.org_id, due.webhook_id, clock.now())
        timestamp = int(clock.now().timestamp())
        headers = signed_headers(f"msg_{due.message_id.hex}", timestamp, body, secrets.all)
        message = msgspec.json.decode(body)
        headers |= {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        correlation_id = message.get("correlationId") or ""
        if CORRELATION_ID.fullmatch(correlation_id):  # any other id is only in the body
            headers["X-Correlation-ID"] = correlation_id
        started = tracing.now()
        attempt = await self._sender.attempt(webhook.url, headers, body)
        tracing.record(
            "webhook",
            message.get("correlationId"),
            started,
            "client",
            type=message["type"],
            succeeded=attempt.succeeded,
        )
        return attempt

    async def _disable(self, due: DueDelivery, reason: str) -> None:
        """Disable a webhook and notify the others, unless its address has changed meanwhile. Ignore browsers."""
        org_id, webhook_id, at = due.org_id, due.webhook_id, clock.now()
        attempted = (await self._programmes.current(org_id)).webhooks.get(webhook_id)
        current = (await self._programmes.refresh(org_id)).webhooks.get(webhook_id)
        if attempted is None or current is None or current.status != "active" or current.url != attempted.url:
            return
        change = Change(org_id=org_id, kind=KINDS["webhook"], id=webhook_id, by="plaudit", at=at)
        message_id = derived_id(org_id, f"{webhook_id} disabled {at.isoformat()}")
        data = WebhookDisabledData(webhook_id=webhook_id, reason=reason)
        payload = payload_of(message_id, WEBHOOK_DISABLED, org_id, at, data)
        with suppress(NotFound):
            async with self._pool.acquire() as connection, atomic(connection):
                await deactivate(connection, change)
                await attempts.record_disabled(connection, org_id, webhook_id, at, reason)
                await enqueue(connection, org_id, message_id, WEBHOOK_DISABLED, payload, at, None)
            await self._programmes.refresh(org_id)
            log.warning("webhook_disabled", webhook_id=webhook_id, reason=reason)

    async def _renew_leases(self) -> bool:
        """Renew the leases of running attempts. They are short, so other processes soon take over if this one dies."""
        if self._running:
            async with self._pool.acquire() as connection:
                await attempts.renew_leases(connection, list(self._running.values()), clock.now())
        return False

    async def _clear(self) -> bool:
        async with self._pool.acquire() as connection:
            await attempts.delete_old(connection, clock.now())
        return False


async def run_delivery(url: str, *, private: bool) -> None:
    """Deliver messages until SIGTERM or SIGINT."""
    pool = await create_pool(url, size=6, by_key=True)
    programmes = Programmes(pool, url)
    sender = WebhookClient(private=private)
    deliverer = Deliverer(pool, url, programmes, sender)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, deliverer.stop)
    await note_what_was_done(pool)
    listening = asyncio.create_task(programmes.listen())
    in_hand.is_ready()
    try:
        await deliverer.run()
    finally:
        await cancel([listening])
        await sender.close()
        await pool.close()

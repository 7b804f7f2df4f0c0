"""The outbox: messages are handed out to the webhooks that want them, taken when they are due, tried, and noted.

outbox ──hand_out──► deliveries (waiting) ──take──► an attempt ──► delivered
                            ▲                            │
                            └──────── later ◄────────────┴──► dead, when a day is over
"""

import random
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.conditions import compile_conditions
from plaudit.core.event import ACTION, Event
from plaudit.core.fields import Scope
from plaudit.core.member import Member
from plaudit.documents.webhook import NOTIFICATION_CREATED, Webhook, wants
from plaudit.storage.postgres import Connection, atomic
from plaudit.storage.programs import Programs
from plaudit.storage.push import subscriptions
from plaudit.storage.queries import queries_beside

from .backoff import next_attempt_at
from .signatures import secret_of
from .webhooks import Attempt

SQL = queries_beside(__file__)

HANDED_AT_ONCE = 1_000
LEASE = timedelta(seconds=60)  # an attempt that was begun and never noted is made again after this
FAILING_MAX = timedelta(days=3)
KEPT = timedelta(days=30)
NIL = UUID(int=0)
PUSH = "push:"  # before a subscription's id, where a webhook's id stands

Row = Mapping[str, Any]


class Due(Struct, frozen=True, kw_only=True):
    """A message to be tried now at one webhook."""

    org_id: UUID
    webhook_id: str
    message_id: UUID
    member_id: UUID | None
    attempts: int
    handed_at: datetime
    payload: str


class Secrets(Struct, frozen=True):
    """What a webhook's messages are signed with: the present secret, and for a while the one before."""

    present: str
    previous: str | None = None

    @property
    def all(self) -> list[str]:
        """Those in force, the present one first."""
        return [self.present] if self.previous is None else [self.present, self.previous]


async def hand_out(connection: Connection, programs: Programs, at: datetime) -> int:
    """Hand the next messages out to the webhooks that want them. Answers how many messages there were.

    Only what every transaction begun before has finished: then nothing can appear behind the place that was reached.
    """
    async with atomic(connection):
        place = await connection.fetchrow(SQL.lock_handed)
        if place is None:  # another process is at it
            return 0
        rows = await connection.fetch(SQL.after, place["xid"], place["ordinal"], HANDED_AT_ONCE)
        if not rows:
            return 0
        deliveries: list[tuple[Any, ...]] = []
        for row in map(dict, rows):
            for webhook_id, webhook in (await programs.live(row["org_id"])).webhooks.items():
                if webhook.url is not None and is_for(webhook_id, webhook, row):
                    deliveries.append(delivery_row(webhook_id, webhook, row, at))
            deliveries += await _pushes(connection, programs, row, at)
        if deliveries:
            await connection.executemany(SQL.insert_delivery, deliveries)
        await connection.execute(SQL.move_handed, rows[-1]["xid"], rows[-1]["ordinal"])
    return len(rows)


async def _pushes(connection: Connection, programs: Programs, row: Row, at: datetime) -> list[tuple[Any, ...]]:
    """A notification on its way to each browser of its member, where it is to be shown at all."""
    if row["type"] != NOTIFICATION_CREATED or (await programs.live(row["org_id"])).settings.push is None:
        return []
    if msgspec.json.decode(row["payload"])["data"]["display"] == "none":
        return []
    found = await subscriptions(connection, row["member_id"])
    return [
        (row["org_id"], f"{PUSH}{one.subscription_id}", row["message_id"], row["xid"], row["ordinal"], None, at)
        for one in found
    ]


def delivery_row(webhook_id: str, webhook: Webhook, row: Row, at: datetime) -> tuple[Any, ...]:
    """A message on its way to a webhook."""
    member_id = row["member_id"] if webhook.ordered else None
    return (row["org_id"], webhook_id, row["message_id"], row["xid"], row["ordinal"], member_id, at)


def is_for(webhook_id: str, webhook: Webhook, row: Row) -> bool:
    """Whether a message is for a webhook: by address, by type, by its data."""
    if row["only_to"] is not None:
        return row["only_to"] == webhook_id
    if webhook.status != "active" or not wants(webhook, row["type"]):
        return False
    if not webhook.conditions:
        return True
    data = msgspec.json.decode(row["payload"])["data"]
    condition, _ = compile_conditions(webhook.conditions)
    at = row["created_at"]
    event = Event(event_id=NIL, member_id=NIL, user_id="", kind=ACTION, trigger=row["type"], occurred_at=at, data=data)
    return condition.holds(Scope(event, Member(member_id=NIL, user_id=""), {}, {}), [])


async def take(connection: Connection, at: datetime, size: int) -> list[Due]:
    """Messages to be tried now; nobody else gets them until the lease is over."""
    rows = await connection.fetch(SQL.take, at, at + LEASE, size)
    return [Due(**row) for row in rows]


async def note(connection: Connection, due: Due, attempt: Attempt, at: datetime) -> bool:
    """Write down what came of an attempt. Answers whether the webhook has failed for so long that it is given up."""
    key = (due.org_id, due.webhook_id)
    if attempt.succeeded:
        state, next_at = "delivered", at
    else:
        later = None if attempt.final else next_attempt_at(due.attempts, due.handed_at, at, random.random())  # noqa: S311
        state, next_at = ("dead", at) if later is None else ("waiting", later)
    async with atomic(connection):
        await connection.execute(
            SQL.note, *key, due.message_id, state, next_at, at, attempt.status, attempt.error, attempt.milliseconds
        )
        since = await connection.fetchval(SQL.note_state, *key, None if attempt.succeeded else at)
    return since is not None and at - since > FAILING_MAX


async def secrets_of(connection: Connection, org_id: UUID, webhook_id: str, at: datetime) -> Secrets:
    """A webhook's secrets; made when they are first asked for."""
    row = await connection.fetchrow(SQL.secrets, org_id, webhook_id)
    if row is None:
        row = await connection.fetchrow(SQL.first_secret, org_id, webhook_id, secret_of(secrets.token_bytes(32)))
    assert row is not None
    until = row["previous_until"]
    return Secrets(row["secret"], row["previous_secret"] if until is not None and until > at else None)


async def rotate(connection: Connection, org_id: UUID, webhook_id: str, at: datetime, overlap: timedelta) -> str:
    """Another secret; the old one signs as well until the overlap is over."""
    await secrets_of(connection, org_id, webhook_id, at)
    fresh = secret_of(secrets.token_bytes(32))
    await connection.execute(SQL.rotate, org_id, webhook_id, fresh, at + overlap)
    return fresh


async def again(
    connection: Connection, webhook_id: str, webhook: Webhook, messages: Sequence[Row], at: datetime
) -> int:
    """Have messages delivered once more. Answers how many of them are for the webhook."""
    wanted = [delivery_row(webhook_id, webhook, row, at) for row in messages if is_for(webhook_id, webhook, row)]
    if wanted:
        await connection.executemany(SQL.deliver_again, wanted)
    return len(wanted)


async def messages_after(
    connection: Connection, org_id: UUID, place: tuple[int, int], since: datetime | None, size: int
) -> list[Row]:
    """An organisation's messages after a place, of those that are complete; since an instant, if given."""
    return [dict(row) for row in await connection.fetch(SQL.of_org, org_id, *place, since, size)]


async def one_message(connection: Connection, org_id: UUID, message_id: UUID) -> Row | None:
    """One message."""
    row = await connection.fetchrow(SQL.one, org_id, message_id)
    return None if row is None else dict(row)


async def deliveries(
    connection: Connection, org_id: UUID, webhook_id: str, before: tuple[int, int], state: str | None, size: int
) -> list[Row]:
    """A webhook's deliveries, newest first."""
    return [dict(row) for row in await connection.fetch(SQL.deliveries, org_id, webhook_id, *before, state, size)]


async def state_of(connection: Connection, org_id: UUID, webhook_id: str) -> Row:
    """How a webhook is doing."""
    row = await connection.fetchrow(SQL.state, org_id, webhook_id)
    assert row is not None
    return dict(row)


async def tell(
    connection: Connection, org_id: UUID, message_id: UUID, type: str, payload: str, at: datetime, only_to: str | None
) -> None:
    """A message that no decision brings with it."""
    await connection.execute(SQL.tell, org_id, message_id, type, payload, at, only_to)


async def clear(connection: Connection, at: datetime) -> None:
    """Let go of what is a month old."""
    await connection.execute(SQL.clear_outbox, at - KEPT)
    await connection.execute(SQL.clear_deliveries, at - KEPT)

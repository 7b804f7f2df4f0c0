"""The outbox: messages are handed out to the webhooks that want them, taken when they are due, tried, and noted.

outbox ──hand_out, judging──► deliveries (waiting) ──take──► an attempt ──► delivered
                            ▲                            │
                            └──────── later ◄────────────┴──► dead, when a day is over
"""

import random
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit.core.ids import derived_id
from plaudit.storage.postgres import Connection, atomic
from plaudit.storage.queries import queries_beside

from .backoff import next_attempt_at
from .listeners import Listener, Row
from .signatures import secret_of
from .webhooks import Attempt

SQL = queries_beside(__file__)

ATTEMPT_LEASE = timedelta(seconds=8)  # an attempt that was begun by a process that is no more is made again after this
DISABLE_AFTER = timedelta(days=3)
RETENTION = timedelta(days=30)
PUSH = "push:"  # before a subscription's id, where a webhook's id stands


class DueDelivery(Struct, frozen=True, kw_only=True):
    """A message to be tried now at one webhook."""

    org_id: UUID
    webhook_id: str
    message_id: UUID
    member_id: UUID | None
    number: int
    attempts: int
    handed_at: datetime
    payload: str


class Rooms(Struct, frozen=True, kw_only=True):
    """How many attempts may be begun: in all, by lane, by organisation; `lane` and `org` for those not named."""

    free: int
    lanes: Mapping[tuple[UUID, str], int]
    lane: int
    orgs: Mapping[UUID, int]
    org: int


class SigningSecrets(Struct, frozen=True):
    """What a webhook's messages are signed with: the present secret, and for a while the one before."""

    current: str
    previous: str | None = None

    @property
    def all(self) -> list[str]:
        """Those in force, the present one first."""
        return [self.current] if self.previous is None else [self.current, self.previous]


def delivery_row(listener: Listener, row: Row) -> tuple[Any, ...]:
    """Return a message on its way to a webhook, as a row."""
    member_id = row["member_id"] if listener.webhook.ordered else None
    judging = 0 if listener.is_conditional(row) else None
    return (row["org_id"], listener.webhook_id, row["message_id"], row["number"], member_id, judging)


def suspect_id_of(message_id: UUID, webhook_id: str) -> UUID:
    """Return what a delivery is known by if a process ends over it."""
    return derived_id(message_id, webhook_id)


def lane_of(webhook_id: str) -> str:
    """Return what a delivery shares its places with: those of its webhook, or all of its organisation's Web Push."""
    return PUSH if webhook_id.startswith(PUSH) else webhook_id


async def lease_due(connection: Connection, at: datetime, rooms: Rooms) -> list[DueDelivery]:
    """Return messages to be tried now, by turns of their organisations; nobody else gets them until the lease is over."""
    lanes = [(org_id, lane, room) for (org_id, lane), room in rooms.lanes.items()]
    rows = await connection.fetch(
        SQL.take, at, at + ATTEMPT_LEASE, rooms.free, [lane[0] for lane in lanes], [lane[1] for lane in lanes],
        [lane[2] for lane in lanes], rooms.lane, list(rooms.orgs), list(rooms.orgs.values()), rooms.org,
    )  # fmt: skip
    gone = [(row["org_id"], row["webhook_id"], row["message_id"]) for row in rows if row["payload"] is None]
    if gone:  # the person that the message was about was erased
        await connection.executemany(SQL.drop, gone)
    return sorted((DueDelivery(**row) for row in rows if row["payload"] is not None), key=lambda due: due.number)


async def keep(connection: Connection, those: Sequence[DueDelivery], at: datetime) -> None:
    """Keep messages that are being tried for as long as another lease."""
    await connection.execute(
        SQL.keep, [due_delivery.org_id for due_delivery in those], [due_delivery.webhook_id for due_delivery in those], [due_delivery.message_id for due_delivery in those],
        at + ATTEMPT_LEASE,
    )  # fmt: skip


async def record_attempt(connection: Connection, due: DueDelivery, attempt: Attempt, at: datetime) -> bool:
    """Write down what came of an attempt. Return whether the webhook has failed for so long that it is given up."""
    key = (due.org_id, due.webhook_id)
    if attempt.succeeded:
        state, next_at = "delivered", at
    else:
        later = None if attempt.final else next_attempt_at(due.attempts, due.handed_at, at, random.random())  # noqa: S311
        asked = at + timedelta(seconds=attempt.retry_after)
        state, next_at = ("dead", at) if later is None else ("waiting", max(later, asked))
    async with atomic(connection):
        await connection.execute(
            SQL.note, *key, due.message_id, state, next_at, at, attempt.status, attempt.error, attempt.milliseconds
        )
        since = await connection.fetchval(SQL.note_state, *key, None if attempt.succeeded else at)
    return since is not None and at - since > DISABLE_AFTER


async def secrets_of(connection: Connection, org_id: UUID, webhook_id: str, at: datetime) -> SigningSecrets:
    """A webhook's secrets; made when they are first asked for."""
    row = await connection.fetchrow(SQL.secrets, org_id, webhook_id)
    if row is None:
        row = await connection.fetchrow(SQL.first_secret, org_id, webhook_id, secret_of(secrets.token_bytes(32)))
    assert row is not None
    until = row["previous_until"]
    return SigningSecrets(row["secret"], row["previous_secret"] if until is not None and until > at else None)


async def rotate(connection: Connection, org_id: UUID, webhook_id: str, at: datetime, overlap: timedelta) -> str:
    """Another secret; the old one signs as well until the overlap is over."""
    await secrets_of(connection, org_id, webhook_id, at)
    fresh = secret_of(secrets.token_bytes(32))
    await connection.execute(SQL.rotate, org_id, webhook_id, fresh, at + overlap)
    return fresh


async def redeliver(connection: Connection, listener: Listener, messages: Sequence[Row], at: datetime) -> int:
    """Have messages delivered once more, if they are for the webhook. Return how many that may be."""
    messages = [row for row in messages if listener.may_want(row)]
    wanted = [(*delivery_row(listener, row), at) for row in messages]
    if wanted:
        await connection.execute(
            SQL.try_anew, [suspect_id_of(row["message_id"], listener.webhook_id) for row in messages]
        )
        await connection.executemany(SQL.deliver_again, wanted)
    return len(wanted)


async def once_more(connection: Connection, org_id: UUID, webhook_id: str, message_id: UUID, at: datetime) -> bool:
    """Have one message delivered once more, whatever the conditions say. Return whether it ever was to be."""
    await connection.execute(SQL.try_anew, [suspect_id_of(message_id, webhook_id)])
    done = await connection.execute(SQL.once_more, org_id, webhook_id, message_id, at)
    return done.endswith(" 1")


async def deliveries(
    connection: Connection, org_id: UUID, webhook_id: str, before: int, state: str | None, size: int
) -> list[Row]:
    """A webhook's deliveries, newest first."""
    return [dict(row) for row in await connection.fetch(SQL.deliveries, org_id, webhook_id, before, state, size)]


async def state_of(connection: Connection, org_id: UUID, webhook_id: str) -> Row:
    """How a webhook is doing."""
    row = await connection.fetchrow(SQL.state, org_id, webhook_id)
    assert row is not None
    return dict(row)


async def delete_old(connection: Connection, at: datetime) -> None:
    """Let go of what is a month old."""
    await connection.execute(SQL.clear_outbox, at - RETENTION)
    await connection.execute(SQL.clear_feed, at - RETENTION)
    await connection.execute(SQL.clear_deliveries, at - RETENTION)

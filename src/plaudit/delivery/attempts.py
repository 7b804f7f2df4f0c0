"""Deliveries of messages to webhooks: lease those that are due, and record the results of attempts.

outbox ──hand_out, conditions──► deliveries (waiting) ──lease_due──► an attempt ──► delivered
                                       ▲                                 │
                                       └──────────── retry ◄─────────────┴──► dead, after a day
"""

import random
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit.core.ids import derived_id
from plaudit.storage import suspects
from plaudit.storage.postgres import Connection, atomic
from plaudit.storage.queries import queries_beside

from .backoff import next_attempt_at
from .listeners import Listener, Row
from .signatures import secret_of
from .webhooks import Attempt

_SQL = queries_beside(__file__)

ATTEMPT_LEASE = timedelta(seconds=8)  # if a process dies, its attempts are repeated after this time
DISABLE_AFTER = timedelta(days=3)
RETENTION = timedelta(days=30)
PUSH = "push:"  # begins `webhook_id` if it is the id of a push subscription


class DueDelivery(Struct, frozen=True, kw_only=True):
    """A delivery of a message to a webhook that is due."""

    org_id: UUID
    webhook_id: str
    message_id: UUID
    member_id: UUID | None
    number: int
    attempts: int
    handed_at: datetime
    payload: str


class Capacity(Struct, frozen=True, kw_only=True):
    """How many attempts may start: in total, by lane, and by organisation. `lane` and `org` apply to those not listed."""

    free: int
    lanes: Mapping[tuple[UUID, str], int]
    lane: int
    orgs: Mapping[UUID, int]
    org: int


class SigningSecrets(Struct, frozen=True):
    """The secrets that sign a webhook's messages: the current one, and the previous one during a rotation's overlap."""

    current: str
    previous: str | None = None

    @property
    def all(self) -> list[str]:
        """Return the valid secrets, the current one first."""
        return [self.current] if self.previous is None else [self.current, self.previous]


def delivery_row(listener: Listener, row: Row) -> tuple[Any, ...]:
    """Return the row of a message's delivery to a webhook."""
    member_id = row["member_id"] if listener.webhook.ordered else None
    judging = 0 if listener.is_conditional(row) else None
    return (row["org_id"], listener.webhook_id, row["message_id"], row["number"], member_id, judging)


def suspect_id_of(message_id: UUID, webhook_id: str) -> UUID:
    """Return the id that identifies a delivery if it crashes a process."""
    return derived_id(message_id, webhook_id)


def lane_of(webhook_id: str) -> str:
    """Return a delivery's lane: its webhook, or all of its organisation's Web Push."""
    return PUSH if webhook_id.startswith(PUSH) else webhook_id


async def lease_due(connection: Connection, at: datetime, capacity: Capacity) -> list[DueDelivery]:
    """Return due deliveries, taking turns between organisations. Other processes do not get them until the lease ends."""
    lanes = [(org_id, lane, room) for (org_id, lane), room in capacity.lanes.items()]
    rows = await connection.fetch(
        _SQL.lease_due, at, at + ATTEMPT_LEASE, capacity.free, [lane[0] for lane in lanes], [lane[1] for lane in lanes],
        [lane[2] for lane in lanes], capacity.lane, list(capacity.orgs), list(capacity.orgs.values()), capacity.org,
    )  # fmt: skip
    orphans = [(row["org_id"], row["webhook_id"], row["message_id"]) for row in rows if row["payload"] is None]
    if orphans:  # the message was deleted with its member
        await connection.executemany(_SQL.drop, orphans)
    return sorted((DueDelivery(**row) for row in rows if row["payload"] is not None), key=lambda due: due.number)


async def renew_leases(connection: Connection, deliveries: Sequence[DueDelivery], at: datetime) -> None:
    """Renew the leases of deliveries that are being attempted."""
    await connection.execute(
        _SQL.renew_leases,
        [delivery.org_id for delivery in deliveries],
        [delivery.webhook_id for delivery in deliveries],
        [delivery.message_id for delivery in deliveries],
        at + ATTEMPT_LEASE,
    )


async def record_attempt(connection: Connection, due: DueDelivery, attempt: Attempt, at: datetime) -> bool:
    """Store the result of an attempt. Return whether the webhook has failed for so long that it is disabled."""
    key = (due.org_id, due.webhook_id)
    if attempt.succeeded:
        state, next_at = "delivered", at
    else:
        later = None if attempt.final else next_attempt_at(due.attempts, due.handed_at, at, random.random())  # noqa: S311
        requested = at + timedelta(seconds=attempt.retry_after)
        state, next_at = ("dead", at) if later is None else ("waiting", max(later, requested))
    async with atomic(connection):
        await connection.execute(
            _SQL.record_attempt,
            *key,
            due.message_id,
            state,
            next_at,
            at,
            attempt.status,
            attempt.error,
            attempt.milliseconds,
        )
        since = await connection.fetchval(_SQL.record_failing, *key, None if attempt.succeeded else at)
    return since is not None and at - since > DISABLE_AFTER


async def secrets_of(connection: Connection, org_id: UUID, webhook_id: str, at: datetime) -> SigningSecrets:
    """Return a webhook's secrets; the first call creates one."""
    row = await connection.fetchrow(_SQL.secrets, org_id, webhook_id)
    if row is None:
        row = await connection.fetchrow(_SQL.first_secret, org_id, webhook_id, secret_of(secrets.token_bytes(32)))
    assert row is not None
    until = row["previous_until"]
    return SigningSecrets(row["secret"], row["previous_secret"] if until is not None and until > at else None)


async def rotate(connection: Connection, org_id: UUID, webhook_id: str, at: datetime, overlap: timedelta) -> str:
    """Create and return a new secret. The old one also signs until the overlap ends."""
    await secrets_of(connection, org_id, webhook_id, at)
    secret = secret_of(secrets.token_bytes(32))
    await connection.execute(_SQL.rotate, org_id, webhook_id, secret, at + overlap)
    return secret


async def redeliver(connection: Connection, listener: Listener, messages: Sequence[Row], at: datetime) -> int:
    """Queue again the messages that the webhook may want. Return their number, before conditions are evaluated."""
    messages = [row for row in messages if listener.may_want(row)]
    rows = [(*delivery_row(listener, row), at) for row in messages]
    if rows:
        await suspects.clear(connection, *(suspect_id_of(row["message_id"], listener.webhook_id) for row in messages))
        await connection.executemany(_SQL.deliver_again, rows)
    return len(rows)


async def once_more(connection: Connection, org_id: UUID, webhook_id: str, message_id: UUID, at: datetime) -> bool:
    """Queue one message again, regardless of conditions. Return False if it was never queued for the webhook."""
    await suspects.clear(connection, suspect_id_of(message_id, webhook_id))
    status = await connection.execute(_SQL.once_more, org_id, webhook_id, message_id, at)
    return status.endswith(" 1")


async def deliveries(
    connection: Connection, org_id: UUID, webhook_id: str, before: int, state: str | None, size: int
) -> list[Row]:
    """Return a webhook's deliveries, newest first."""
    return [dict(row) for row in await connection.fetch(_SQL.deliveries, org_id, webhook_id, before, state, size)]


async def state_of(connection: Connection, org_id: UUID, webhook_id: str) -> Row:
    """Return a webhook's state."""
    row = await connection.fetchrow(_SQL.state, org_id, webhook_id)
    assert row is not None
    return dict(row)


async def record_disabled(connection: Connection, org_id: UUID, webhook_id: str, at: datetime, reason: str) -> None:
    """Store when and why a webhook was disabled, and reset the start of its failures."""
    await connection.execute(_SQL.disabled, org_id, webhook_id, at, reason)


async def delete_old(connection: Connection, at: datetime) -> None:
    """Delete messages, feed entries and deliveries that are older than `RETENTION`."""
    await connection.execute(_SQL.clear_outbox, at - RETENTION)
    await connection.execute(_SQL.clear_feed, at - RETENTION)
    await connection.execute(_SQL.clear_deliveries, at - RETENTION)

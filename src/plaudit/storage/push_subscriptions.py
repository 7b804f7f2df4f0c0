"""Members' Web Push subscriptions, and the server's own key (VAPID, RFC 8292)."""

from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from plaudit.core.ids import bucket_of, derived_id

from .postgres import Connection, atomic
from .queries import queries_beside
from .signing_keys import pem_of

_SQL = queries_beside(__file__)

SUBSCRIPTIONS_MAX = 20  # per member; further ones replace the oldest


class Subscription(Struct, frozen=True):
    """A browser's push subscription. The keys are base64url, as the browser sends them."""

    subscription_id: UUID
    endpoint: str
    p256dh: str
    auth: str


async def private_key(connection: Connection, at: datetime) -> bytes:
    """Return the server's key as PEM. It is created on first use."""
    pem = await connection.fetchval(_SQL.key)
    if pem is None:
        await connection.execute(_SQL.insert_key, pem_of(ec.generate_private_key(ec.SECP256R1())), at)
        pem = await connection.fetchval(_SQL.key)
    return str(pem).encode()


async def subscribe(
    connection: Connection, org_id: UUID, member_id: UUID, endpoint: str, p256dh: str, auth: str, at: datetime
) -> UUID:
    """Store a subscription. Return its id, which is the same for the same endpoint."""
    subscription_id = derived_id(member_id, f"push:{endpoint}")
    key = bucket_of(member_id), member_id
    async with atomic(connection):
        await connection.execute(_SQL.subscribe, *key, subscription_id, org_id, endpoint, p256dh, auth, at)
        await connection.execute(_SQL.keep_newest, *key, SUBSCRIPTIONS_MAX)
    return subscription_id


async def unsubscribe(connection: Connection, member_id: UUID, subscription_id: UUID) -> bool:
    """Delete a subscription. Return False if it did not exist."""
    status = await connection.execute(_SQL.unsubscribe, bucket_of(member_id), member_id, subscription_id)
    return status.endswith(" 1")


async def subscriptions(connection: Connection, member_id: UUID) -> list[Subscription]:
    """Return a member's subscriptions."""
    rows = await connection.fetch(_SQL.of_member, bucket_of(member_id), member_id)
    return [Subscription(*row) for row in rows]

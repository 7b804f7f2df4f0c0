"""Web Push (RFC 8030, 8291, 8292): notifications to browsers, encrypted for the subscribed browser only.

A push is a delivery like a webhook's: handed out from the outbox, sent, retried. To reach phones in other ways, a
webhook can subscribe to `notification.created`, which has the same content.
"""

from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Struct
from py_vapid import Vapid02
from pywebpush import WebPusher

from plaudit import clock
from plaudit.storage.postgres import Pool
from plaudit.storage.programmes import Programme
from plaudit.storage.push_subscriptions import Subscription, private_key, subscriptions, unsubscribe

from .attempts import PUSH, DueDelivery
from .webhooks import Attempt, WebhookClient

TTL_SECONDS = 86_400  # how long the push service keeps a push for a phone that is off
CLAIM_SECONDS = 12 * 3_600
TEXT_MAX = 1_000  # push services accept 4,096 bytes in total
GONE = (404, 410)
GONE_FOR_GOOD = Attempt(None, "the subscription has expired, or Web Push was turned off", 0, final=True)

_ENCODER = msgspec.json.Encoder()


class DeliveryChannel(Protocol):
    """A way to send messages."""

    async def send(self, programme: Programme, due: DueDelivery) -> Attempt:
        """Make one attempt and return its result."""
        ...


class EncryptedPush(Struct, frozen=True):
    """An encrypted push."""

    headers: dict[str, str]
    body: bytes


class WebPush:
    """Sends pushes to members' browsers."""

    def __init__(self, pool: Pool, sender: WebhookClient) -> None:
        self._pool = pool
        self._sender = sender
        self._vapid: Vapid02 | None = None

    async def send(self, programme: Programme, due: DueDelivery) -> Attempt:
        """Push to one subscription, and delete it if it no longer exists."""
        push = programme.settings.push
        assert due.member_id is not None
        subscription_id = UUID(due.webhook_id.removeprefix(PUSH))
        async with self._pool.acquire() as connection:
            if self._vapid is None:
                self._vapid = Vapid02.from_pem(await private_key(connection, clock.now()))
            by_id = {
                subscription.subscription_id: subscription
                for subscription in await subscriptions(connection, due.member_id)
            }
        subscription = by_id.get(subscription_id)
        if push is None or subscription is None:
            return GONE_FOR_GOOD
        encrypted = self._encrypt(subscription, due.payload, push.contact, self._vapid)
        attempt = await self._sender.attempt(subscription.endpoint, encrypted.headers, encrypted.body)
        if attempt.status in GONE:
            async with self._pool.acquire() as connection:
                await unsubscribe(connection, due.member_id, subscription_id)
            return msgspec.structs.replace(attempt, final=True)
        return attempt

    def _encrypt(self, subscription: Subscription, payload: str, contact: str, vapid: Vapid02) -> EncryptedPush:
        keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
        encoded: Any = WebPusher({"endpoint": subscription.endpoint, "keys": keys}).encode(_payload_of(payload))
        parts = urlsplit(subscription.endpoint)
        expires = int(clock.now().timestamp()) + CLAIM_SECONDS
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": expires, "sub": contact}
        headers = {
            "TTL": str(TTL_SECONDS),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Urgency": "normal",
            **vapid.sign(claims),
        }
        return EncryptedPush(headers, encoded["body"])


def _payload_of(payload: str) -> bytes:
    """Return the payload for the app's service worker."""
    data = msgspec.json.decode(payload)["data"]
    shortened = {name: data.get(name) for name in ("notificationId", "type", "campaignId", "title", "message")}
    for name in ("title", "message"):
        if shortened[name] is not None:
            shortened[name] = shortened[name][:TEXT_MAX]
    return _ENCODER.encode(shortened)

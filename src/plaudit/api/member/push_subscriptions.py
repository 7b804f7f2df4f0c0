"""Web Push: the key for subscriptions, and members' subscriptions."""

import base64
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import Meta, Struct

from plaudit import bounds, clock
from plaudit.api.http.operations import Call, Operation, OperationResult
from plaudit.api.http.paging import from_base64url
from plaudit.api.http.wire import uuid_in
from plaudit.api.identity.current_member import OWN, load_current_member, member_id
from plaudit.api.views.push import PushKey, PushSubscriptionCreated
from plaudit.errors import Conflict, FieldError, NotFound, invalid_fields
from plaudit.storage.push_subscriptions import private_key, subscribe, unsubscribe

PREFIX = "sub_"
POINT_BYTES = 65  # an uncompressed point on P-256
AUTH_BYTES = 16

Key = Annotated[str, Meta(min_length=16, max_length=200)]


class PushKeys(Struct, kw_only=True):
    """The browser's keys, base64url."""

    p256dh: Key
    auth: Key


class NewPushSubscription(Struct, kw_only=True, rename="camel"):
    """The result of `PushSubscription.toJSON()`; other fields are ignored."""

    endpoint: Annotated[str, Meta(min_length=1, max_length=2_000)]
    keys: PushKeys


async def get_push(call: Call) -> PushKey:
    """Return whether the organisation uses Web Push, and the `applicationServerKey` for subscriptions."""
    programme = await call.programme()
    async with call.connection() as connection:
        key = load_pem_private_key(await private_key(connection, clock.now()), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    public_key = base64.urlsafe_b64encode(point).decode().rstrip("=")
    return PushKey(enabled=programme.settings.push is not None, public_key=public_key)


async def post_subscription(call: Call) -> PushSubscriptionCreated:
    """Subscribe a browser to the member's notifications."""
    body: NewPushSubscription = call.body
    wrong: list[FieldError] = []
    message = bounds.wrong_address(body.endpoint, _schemes(call))
    if message is not None:
        wrong.append(FieldError("endpoint", message))
    if not _is_point(body.keys.p256dh):
        wrong.append(FieldError("keys.p256dh", "must be a P-256 public key in base64url"))
    if len(_decoded(body.keys.auth)) != AUTH_BYTES:
        wrong.append(FieldError("keys.auth", f"must be {AUTH_BYTES} bytes, base64url"))
    if wrong:
        raise invalid_fields(wrong)
    programme, view = await load_current_member(call)
    if programme.settings.push is None:
        raise Conflict("Web Push is not enabled: set push.contact in the settings", code="push_disabled")
    async with call.connection() as connection:
        subscription_id = await subscribe(
            connection, call.org_id, view.member_id, body.endpoint, body.keys.p256dh, body.keys.auth, clock.now()
        )
    return PushSubscriptionCreated(subscription_id=f"{PREFIX}{subscription_id}")


async def delete_subscription(call: Call) -> OperationResult:
    """Delete a subscription."""
    subscription_id = uuid_in(call.path["subscriptionId"], PREFIX)
    async with call.connection() as connection:
        if subscription_id is None or not await unsubscribe(connection, member_id(call), subscription_id):
            raise NotFound("Subscription not found", code="subscription_not_found")
    return OperationResult(data=None, status=204)


def _schemes(call: Call) -> tuple[str, ...]:
    return ("https", "http") if call.services.private_networks else ("https",)


def _decoded(text: str) -> bytes:
    try:
        return from_base64url(text)
    except ValueError:
        return b""


def _is_point(text: str) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(text))
    except ValueError:
        return False
    return len(_decoded(text)) == POINT_BYTES


OPERATIONS = [
    Operation(
        name="getPushKey", method="GET", path="/api/loyalty/me/push",
        summary="Get the key for Web Push subscriptions", run=get_push,
        response=PushKey, **OWN,
    ),
    Operation(
        name="createPushSubscription", method="POST", path="/api/loyalty/me/push/subscriptions",
        summary="Subscribe a browser to push notifications", run=post_subscription, body=NewPushSubscription,
        response=PushSubscriptionCreated, status=201, errors=(400, 409, 413), **OWN,
    ),
    Operation(
        name="deletePushSubscription", method="DELETE", path="/api/loyalty/me/push/subscriptions/{subscriptionId}",
        summary="Delete a push subscription", run=delete_subscription, status=204, **OWN,
    ),
]  # fmt: skip

"""Verify that a webhook's message comes from the server, is unchanged, and is recent (Standard Webhooks)."""

import base64
import binascii
import hmac
import time
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from .errors import InvalidSignature
from .models import WebhookMessage

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"


def verify_webhook(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> WebhookMessage:
    """Return the message in the raw `body`, if `secret` signed it and its time is at most `tolerance` seconds off.

    Raise InvalidSignature otherwise.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = lower["webhook-id"], int(lower["webhook-timestamp"])
        signatures = lower["webhook-signature"].split()
    except (KeyError, ValueError):
        raise InvalidSignature("The signature headers are missing") from None
    if abs((time.time() if now is None else now) - timestamp) > tolerance:
        raise InvalidSignature(f"The timestamp is more than {tolerance:g} seconds off")
    expected = _signature(secret, f"{message_id}.{timestamp}.".encode() + body).encode()
    if not any(hmac.compare_digest(expected, signature.encode()) for signature in signatures):
        raise InvalidSignature("The signature does not match")
    return msgspec.json.decode(body, type=WebhookMessage)


def _signature(secret: str, content: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = secret.encode()
    return "v1," + base64.b64encode(hmac.new(key, content, sha256).digest()).decode()

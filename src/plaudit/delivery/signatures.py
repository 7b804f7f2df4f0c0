"""The two signatures of a message: the documented one (`X-Monterosa-Signature`) and that of Standard Webhooks."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256

PREFIX = "whsec_"


def secret_of(random: bytes) -> str:
    """Return a webhook's secret in the form of Standard Webhooks, from random bytes."""
    return PREFIX + base64.b64encode(random).decode()


def signed_headers(message_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers that sign a body, with each of `secrets` (the current one first).

    `X-Monterosa-Signature` is `sha256=` and the HMAC-SHA256 of the raw body, keyed by the secret as written, in hex.
    `webhook-signature` is `v1,` and the HMAC-SHA256 of id, timestamp and body, keyed by the secret's bytes, in base64;
    two secrets make two signatures, separated by a space.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    standard = [
        "v1," + base64.b64encode(hmac.new(_bytes_of(secret), content, sha256).digest()).decode() for secret in secrets
    ]
    return {
        "X-Monterosa-Signature": "sha256=" + hmac.new(secrets[0].encode(), body, sha256).hexdigest(),
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(standard),
    }


def _bytes_of(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()

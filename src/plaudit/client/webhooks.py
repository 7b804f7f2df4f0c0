"""Whether a message that came to a webhook is from the server, whole and recent."""

import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from plaudit import clock
from plaudit.delivery.signatures import signed_headers

TOLERANCE_SECONDS = 300


class InvalidSignature(Exception):
    """The message is not to be believed."""


def verify_webhook(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> dict[str, Any]:
    """The message in `body`, if its Standard Webhooks signature is of `secret` and it is at most `tolerance` seconds old.

    `body` is the raw body. Raises InvalidSignature.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = given["webhook-id"], int(given["webhook-timestamp"])
        signatures = given["webhook-signature"].split()
    except (KeyError, ValueError):
        raise InvalidSignature("The headers of the signature are missing") from None
    if abs((clock.now().timestamp() if now is None else now) - timestamp) > tolerance:
        raise InvalidSignature("The message is too old, or the clocks differ")
    wanted = signed_headers(message_id, timestamp, body, [secret])["webhook-signature"].encode()
    if not any(hmac.compare_digest(wanted, signature.encode()) for signature in signatures):
        raise InvalidSignature("The signature is not of this secret")
    return msgspec.json.decode(body, type=dict[str, Any])

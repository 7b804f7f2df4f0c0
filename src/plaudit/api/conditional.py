"""Answers that clients keep: an entity tag of the content, and 304 for who has it already (RFC 9110, 13.1.2)."""

from hashlib import blake2b
from typing import Any

import msgspec

from .operations import Answer, Call

_ENCODER = msgspec.json.Encoder()


def conditional(call: Call, data: Any, cache_control: str) -> Answer:
    """The data with its tag, or 304 when the request's `If-None-Match` names that tag."""
    tag = f'"{blake2b(_ENCODER.encode(data), digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": cache_control, "Vary": "Authorization, X-Monterosa-Org-ID, Origin"}
    known = [one.strip().removeprefix("W/") for one in call.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Answer(data=None, status=304, headers=headers, content=b"")
    return Answer(data=data, status=200, headers=headers)

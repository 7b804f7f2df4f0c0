"""Responses that clients cache: an entity tag of the content, and 304 if the client has it (RFC 9110, 13.1.2)."""

from hashlib import blake2b
from typing import Any

from plaudit.api.views.base import ENCODER

from .operations import Call, OperationResult


def etag_response(call: Call, data: Any, cache_control: str) -> OperationResult:
    """Return the data with an entity tag, or 304 if the request names that tag."""
    response = not_modified_or(call, blake2b(ENCODER.encode(data), digest_size=12).hexdigest(), cache_control)
    response.headers["Vary"] = "Authorization, X-Monterosa-Org-ID, Origin"
    if response.status == 200:
        response.data = data
    return response


def not_modified_or(call: Call, digest: str, cache_control: str) -> OperationResult:
    """Return a 304 if `If-None-Match` names the tag; otherwise a 200, whose content the caller fills in."""
    tag = f'"{digest}"'
    headers = {"ETag": tag, "Cache-Control": cache_control}
    known = [part.strip().removeprefix("W/") for part in call.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return OperationResult(data=None, status=304, headers=headers, content=b"")
    return OperationResult(data=None, status=200, headers=headers)

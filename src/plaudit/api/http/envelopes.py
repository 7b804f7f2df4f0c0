"""The envelopes of responses. Only this module builds them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from plaudit.api.views.base import ENCODER
from plaudit.errors import PlauditError

from .wire import time_text

PROBLEM_MEDIA = "application/problem+json"


NO_FIELDS: Mapping[str, Any] = {}


class Envelope(StrEnum):
    """The generation of the API whose envelope a response has."""

    v1 = "v1"  # /v1 and /api/audience
    loyalty = "loyalty"  # /api/loyalty
    bare = "bare"  # without an envelope, where the documents show none


def envelope_of(path: str) -> Envelope:
    """Return the envelope of the generation that a path belongs to."""
    return Envelope.loyalty if path.removeprefix("/loyalty").startswith("/api/loyalty/") else Envelope.v1


def success(data: Any, envelope: Envelope, also: Mapping[str, Any] = NO_FIELDS) -> bytes:
    """Return a response's data in its envelope, with the fields of `also` next to it."""
    if envelope is Envelope.bare:
        if not also:
            return ENCODER.encode(data)
        return ENCODER.encode({**(data if isinstance(data, dict) else {"data": data}), **also})
    if envelope is Envelope.loyalty:
        return ENCODER.encode({"message": "OK", "data": data, **also})
    return ENCODER.encode({"success": True, "data": data, **also})


def failure(error: PlauditError, envelope: Envelope) -> bytes:
    """Return an error in the envelope of its generation."""
    body: dict[str, Any] = {"code": error.code}
    if error.fields:
        body["details"] = [{"field": field.field, "message": field.message} for field in error.fields]
    if error.next_at is not None:
        body["next_available_at"] = time_text(error.next_at)
    if error.made is not None:
        body["id"] = error.made
    if envelope is Envelope.loyalty:
        return ENCODER.encode({"message": error.message, "error": body})
    return ENCODER.encode({"success": False, "error": {"message": error.message, **body}})


def problem(error: PlauditError, status: int, title: str, path: str) -> bytes:
    """Return an error as problem details (RFC 9457), for clients that accept them."""
    body: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": title,
        "status": status,
        "detail": error.message,
        "instance": path,
        "code": error.code,
    }
    if error.fields:
        body["errors"] = [{"detail": field.message, "field": field.field} for field in error.fields]
    if error.next_at is not None:
        body["next_available_at"] = time_text(error.next_at)
    if error.made is not None:
        body["id"] = error.made
    return ENCODER.encode(body)


def mark_replayed(content: bytes) -> bytes:
    """Return a stored response with the field that says it was replayed."""
    if not content.startswith(b"{"):
        return content
    return content[:-1] + (b"," if len(content) > 2 else b"") + b'"idempotentReplayed":true}'

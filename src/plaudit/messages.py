"""Messages as other systems read them: one form, with its version in it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.clock import time_text

VERSION = "v1"
_ENCODER = msgspec.json.Encoder()


def payload_of(
    message_id: UUID,
    type: str,
    org_id: UUID,
    created_at: datetime,
    data: dict[str, Any],
    *,
    user_id: str | None = None,
    event_id: UUID | None = None,
    occurred_at: datetime | None = None,
    correlation_id: str | None = None,
) -> str:
    """A message's body."""
    told: dict[str, Any] = {
        "id": f"msg_{message_id.hex}",
        "type": type,
        "version": VERSION,
        "orgId": str(org_id),
        "createdAt": time_text(created_at),
        "data": data,
    }
    if user_id is not None:
        told["userId"] = user_id
    if event_id is not None:
        told["eventId"] = f"evt_{event_id}"
    if occurred_at is not None:
        told["occurredAt"] = time_text(occurred_at)
    if correlation_id:
        told["correlationId"] = correlation_id
    return _ENCODER.encode(told).decode()

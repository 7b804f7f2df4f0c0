"""The actions that clients report."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from plaudit.bounds import EventKey, UserId
from plaudit.core.triggers import TriggerName


class Action(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An action that a client reports. `userId`, `email` or `phone` identifies the member. `eventId` makes it count once."""

    action: TriggerName
    user_id: UserId | None = None
    email: UserId | None = None
    phone: UserId | None = None
    timestamp: datetime | None = None
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    event_id: EventKey | None = None

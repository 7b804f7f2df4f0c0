"""The triggers of a document: the types of events that it reacts to."""

from typing import Any

from msgspec import Struct

from plaudit.core.triggers import TriggerName

TriggerKey = TriggerName
TRIGGERS_MAX = 20


class TriggerSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """An event type that starts the campaign, and the conditions the event must meet."""

    type: TriggerKey
    conditions: list[Any] | dict[str, Any] | None = None

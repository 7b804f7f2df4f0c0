"""The triggers in a document: the types of events to which it reacts."""

from typing import Any

from msgspec import Struct

from plaudit.core.triggers import TriggerName

TriggerKey = TriggerName
TRIGGERS_MAX = 20


class TriggerSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """An event type that starts the campaign, and the conditions that the event must meet."""

    type: TriggerKey
    conditions: list[Any] | dict[str, Any] | None = None

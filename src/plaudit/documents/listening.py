"""What a document listens to: the types of event that set it off."""

from typing import Any

from msgspec import Struct

from plaudit.core.triggers import TriggerName

TriggerKey = TriggerName
TRIGGERS_MAX = 20


class TriggerSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """What sets a campaign off: a type of event, and the conditions that it must meet."""

    type: TriggerKey
    conditions: list[Any] | dict[str, Any] | None = None

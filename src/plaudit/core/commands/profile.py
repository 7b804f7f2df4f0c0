"""Set a member's profile fields and identities."""

from typing import Any

from msgspec import Struct

from plaudit.core import cause
from plaudit.core.context import Context
from plaudit.core.event import PROFILE
from plaudit.core.mechanic_rules import MECHANIC_RULES

from .command_type import CommandType


class ProfileOrder(Struct, frozen=True):
    """Fields and identities to set; None removes one."""

    attributes: dict[str, Any] | None = None
    identities: dict[str, str | None] | None = None


def _set_profile(context: Context, order: ProfileOrder) -> None:
    attributes, identities = order.attributes or {}, order.identities or {}
    context.write_profile(attributes, identities)
    context.changed_parts.add("user")
    for rules in MECHANIC_RULES.values():
        rules.update_profile(context)
    context.emit("user.updated", {"fields": sorted({**attributes, **identities})}, cause.PROFILE)


COMMAND = CommandType(kind=PROFILE, order=ProfileOrder, apply=_set_profile)

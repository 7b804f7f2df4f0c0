"""Grant a reward manually, independently of campaigns."""

from typing import Any

from msgspec import Struct

from plaudit.core.cause import MANUAL_GRANT
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import RefusalCode, Trace
from plaudit.core.effects import grant_reward
from plaudit.core.event import GRANT

from .command_type import CommandType


class GrantOrder(Struct, frozen=True, rename="camel"):
    """The reward to grant, and the reason."""

    reward_id: str
    reason: Any = None  # a string; anything else is ignored


def _grant(context: Context, order: GrantOrder) -> RefusalCode | None:
    reason = order.reason if isinstance(order.reason, str) else None
    effect = grant_reward.grant(context, EffectPlace(MANUAL_GRANT, 0, 0), order.reward_id, reason)
    context.trace.append(Trace(MANUAL_GRANT.logged, 0, 0, None, [], [effect]))
    return effect.refusal


COMMAND = CommandType(kind=GRANT, order=GrantOrder, apply=_grant, cause=MANUAL_GRANT, effect=grant_reward.EFFECT.name)

"""A user whom this member referred has enrolled."""

from msgspec import Struct

from plaudit.core import cause
from plaudit.core.context import Context
from plaudit.core.decision import Trace
from plaudit.core.event import REFERRAL
from plaudit.core.profile_fields import REFERRALS

from .command_type import CommandType, Strangers


class ReferralOrder(Struct, frozen=True, rename="camel"):
    """The new member."""

    user_id: str


def _record_referral(context: Context, order: ReferralOrder) -> None:
    count = context.member.attributes.get(REFERRALS, 0)
    context.member.attributes = {**context.member.attributes, REFERRALS: int(count) + 1}
    context.scope.forget_names()
    context.changed_parts.add("user")
    context.trace.append(Trace(cause.REFERRAL.logged, 0, 0))
    context.emit("user.referred", {"userId": order.user_id}, cause.REFERRAL)


COMMAND = CommandType(kind=REFERRAL, order=ReferralOrder, apply=_record_referral, strangers=Strangers.join_by_api)

"""Enrolment as the documents have it: the profile, the welcome bonus, the referral and `user.enrolled`, in one decision.

The bonus comes once, also for somebody whom an action had enrolled before; so does the event.
"""

from typing import Any

from msgspec import Struct

from .bookkeeping import order_of
from .deciding import Deciding, Place
from .decision import Considered, EffectTrace, Onward, Refusal
from .event import REFERRAL
from .ids import derived_id
from .ledger import post

WELCOME = "welcome_bonus"  # the pseudo-campaign that the bonus is booked under


class Registration(Struct, frozen=True, rename="camel"):
    """What is known of a new member. `bonus` is in each metric's smallest units."""

    attributes: dict[str, Any] = {}
    identities: dict[str, str | None] = {}
    bonus: dict[str, int] = {}
    source: str = "api"
    referred_by: str | None = None


def register(deciding: Deciding) -> Refusal | None:
    """Enrol a member with a profile and a bonus."""
    order = order_of(deciding, Registration)
    member = deciding.member
    member.attributes = {**member.attributes, **{k: v for k, v in order.attributes.items() if v is not None}}
    deciding.identities = order.identities
    deciding.scope.forget_names()
    deciding.touched.add("all")
    effects: list[EffectTrace] = []
    for index, (metric_id, amount) in enumerate(order.bonus.items()):
        metric = deciding.program.metrics.get(metric_id)
        if metric is None or amount == 0:
            continue
        paid = post(deciding, Place(WELCOME, 0, index), metric, amount, "Welcome bonus", earning=True)
        refusal = paid if isinstance(paid, Refusal) else None
        effects.append(EffectTrace(index, refusal, None if isinstance(paid, Refusal) else paid.amount))
    deciding.trace.append(Considered(WELCOME, 0, 0, None, [], effects))
    if order.referred_by is not None:
        deciding.onward.append(
            Onward(
                event_id=derived_id(deciding.event.event_id, "referral"),
                user_id=order.referred_by,
                kind=REFERRAL,
                trigger="user.referred",
                occurred_at=deciding.now,
                data={"userId": deciding.event.user_id},
            )
        )
    deciding.follow("user.enrolled", {"userId": deciding.event.user_id, "source": order.source}, "enrolment")
    return None


def referred(deciding: Deciding) -> Refusal | None:
    """Somebody whom this member referred has enrolled."""
    count = deciding.member.attributes.get("referralCount", 0)
    deciding.member.attributes = {**deciding.member.attributes, "referralCount": int(count) + 1}
    deciding.scope.forget_names()
    deciding.touched.add("user")
    deciding.trace.append(Considered("referral", 0, 0))
    deciding.follow("user.referred", {"userId": deciding.event.data["userId"]}, "referral")
    return None

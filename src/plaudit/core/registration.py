"""Enrolment as the documents have it: the profile, the welcome bonus, the referral and `user.enrolled`, in one decision.

The bonus comes once, also for somebody whom an action had enrolled before; so does the event.
"""

from typing import Any
from uuid import UUID

from msgspec import Struct

from .bookkeeping import order_of
from .deciding import Deciding, Place
from .decision import Considered, EffectTrace, Onward, Refusal
from .event import REFERRAL
from .fields import REFERRALS
from .ids import derived_id
from .ledger import amount_of, post

WELCOME = "welcome_bonus"  # the pseudo-campaign that the bonus is booked under


class Registration(Struct, frozen=True, rename="camel"):
    """What is known of a new member. `bonus` is in each metric's smallest units."""

    attributes: dict[str, Any] = {}
    identities: dict[str, str | None] = {}
    bonus: dict[str, int] = {}
    source: str = "api"
    referred_by: str | None = None


def referral_id(registration_id: UUID) -> UUID:
    """Return the id of the event that tells the referring member."""
    return derived_id(registration_id, "referral")


def register(deciding: Deciding) -> Refusal | None:
    """Enrol a member with a profile and a bonus."""
    order = order_of(deciding, Registration)
    deciding.write_profile({k: v for k, v in order.attributes.items() if v is not None}, order.identities)
    deciding.touched.add("all")
    effects: list[EffectTrace] = []
    for index, (metric_id, bonus) in enumerate(order.bonus.items()):
        metric = deciding.program.metrics.get(metric_id)
        amount, how = (None, None) if metric is None else amount_of(deciding, metric, bonus, 0)
        if metric is None or not amount:
            continue
        paid = post(deciding, Place(WELCOME, 0, index), metric, amount, "Welcome bonus", earning=True)
        refusal = paid if isinstance(paid, Refusal) else None
        effects.append(EffectTrace(index, refusal, None if isinstance(paid, Refusal) else paid.amount, how))
    deciding.trace.append(Considered(WELCOME, 0, 0, None, [], effects))
    if order.referred_by is not None:
        deciding.onward.append(
            Onward(
                event_id=referral_id(deciding.event.event_id),
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
    count = deciding.member.attributes.get(REFERRALS, 0)
    deciding.member.attributes = {**deciding.member.attributes, REFERRALS: int(count) + 1}
    deciding.scope.forget_names()
    deciding.touched.add("user")
    deciding.trace.append(Considered("referral", 0, 0))
    deciding.follow("user.referred", {"userId": deciding.event.data["userId"]}, "referral")
    return None

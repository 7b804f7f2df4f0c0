"""Enrolment in the programme: profile, welcome bonus, referral and `user.enrolled`, in one decision.

If an action enrolled the member earlier, this still pays the bonus and emits the event.
"""

from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit.core import cause
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, FollowUp, Refusal, Trace
from plaudit.core.event import ENROLMENT, REFERRAL
from plaudit.core.ids import derived_id
from plaudit.core.ledger.post import amount_of, post

from .command_type import CommandType, Strangers


class EnrolmentOrder(Struct, frozen=True, rename="camel"):
    """The new member's data. `bonus` is in each metric's smallest units."""

    attributes: dict[str, Any] = {}
    identities: dict[str, str | None] = {}
    bonus: dict[str, int] = {}
    source: str = "api"
    referred_by: str | None = None


def referral_id(registration_id: UUID) -> UUID:
    """Return the id of the event that an enrolment sends to the referring member."""
    return derived_id(registration_id, "referral")


def _enrol(context: Context, order: EnrolmentOrder) -> None:
    """Enrol a member with a profile and a bonus."""
    context.write_profile({k: v for k, v in order.attributes.items() if v is not None}, order.identities)
    context.changed_parts.add("all")
    effects: list[EffectTrace] = []
    for index, (metric_id, bonus) in enumerate(order.bonus.items()):
        metric = context.program.metrics.get(metric_id)
        amount, how = (None, None) if metric is None else amount_of(context, metric, bonus, 0)
        if metric is None or not amount:
            continue
        paid = post(context, EffectPlace(cause.WELCOME_BONUS, 0, index), metric, amount, "Welcome bonus", earning=True)
        refusal = paid if isinstance(paid, Refusal) else None
        effects.append(EffectTrace(index, refusal, None if isinstance(paid, Refusal) else paid.amount, how))
    context.trace.append(Trace(cause.WELCOME_BONUS.logged, 0, 0, None, [], effects))
    if order.referred_by is not None:
        context.follow_ups.append(
            FollowUp(
                event_id=referral_id(context.event.event_id),
                user_id=order.referred_by,
                kind=REFERRAL,
                trigger="user.referred",
                occurred_at=context.now,
                data={"userId": context.event.user_id},
            )
        )
    context.emit("user.enrolled", {"userId": context.event.user_id, "source": order.source}, cause.ENROLMENT)


COMMAND = CommandType(
    kind=ENROLMENT, order=EnrolmentOrder, apply=_enrol, strangers=Strangers.join_themselves, is_own=True
)

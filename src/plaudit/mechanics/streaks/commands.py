"""The streak command: check in, buy, grant or use a freeze, repair a streak, or plan an absence."""

from datetime import date
from typing import Final

from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.commands.command_type import CommandType, trace_command
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import Refusal, Trace
from plaudit.core.ledger.post import post

from . import rules
from .compiled import Price, streak_of
from .refusals import StreakRefusal
from .state import cause_of

STREAK: Final = "streak"  # the kind of the command's events


class StreakOrder(Struct, frozen=True, rename="camel"):
    """`action`: check_in, buy_freeze, grant_freeze, use_freeze (for `day`), repair, absence (`day` to `until`)."""

    streak_id: str
    action: str
    quantity: int = 1
    day: date | None = None
    until: date | None = None


def _manage(context: Context, order: StreakOrder) -> str | None:
    """Check a member in to a streak, or manage freezes, a repair, an absence."""
    streak = streak_of(context.program, order.streak_id)
    cause = cause_of(order.streak_id)
    if streak is None or not streak.active:
        return trace_command(context, StreakRefusal.streak_not_found, cause)
    price: Price | None = None
    match order.action:
        case "check_in":
            refusal, fields, effects = rules.check_in(context, streak)
            context.trace.append(Trace(cause.logged, 0, 0, refusal, [], effects, None, fields))
            return None  # a second check-in for the same period changes nothing and is not an error
        case "buy_freeze":
            price = streak.freeze_price
            refusal = rules.grant_freezes(context, streak, 1) if price else StreakRefusal.freeze_not_for_sale
        case "grant_freeze":
            refusal = rules.grant_freezes(context, streak, order.quantity)
        case "repair":
            price = streak.repair_price
            refusal = rules.repair(context, streak)
        case "use_freeze" if order.day is not None:
            refusal = rules.use_freeze(context, streak, order.day)
        case "absence" if order.day is not None and order.until is not None:
            refusal = rules.add_absence(context, streak, order.day, order.until)
        case _:
            refusal = StreakRefusal.streak_not_found
    if refusal is None and price is not None:
        refusal = _charge(context, price, cause)
    return trace_command(context, refusal, cause)


def _charge(context: Context, price: Price, cause: Cause) -> str | None:
    """Spend a price. A refusal refuses the whole command, which undoes the changes made before it."""
    metric = context.program.metrics.get(price.metric)
    if metric is None:
        return Refusal.metric_not_found
    paid = post(context, EffectPlace(cause, 0, 0), metric, -price.amount, "Price", earning=False)
    return paid if isinstance(paid, Refusal) else None


COMMAND = CommandType(kind=STREAK, order=StreakOrder, apply=_manage)

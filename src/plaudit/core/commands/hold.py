"""A hold: an amount reserved for a purchase, then captured or released."""

from datetime import datetime

from msgspec import Struct

from plaudit.core.cause import MANUAL
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import Refusal, Transaction
from plaudit.core.event import HOLD
from plaudit.core.ledger import lots
from plaudit.core.ledger.lots import EMPTY, Hold
from plaudit.core.ledger.post import (
    append_transaction,
    available,
    balance_of,
    expire,
    in_lots,
    open_book,
    replace_book,
    settle,
)
from plaudit.core.metrics import Metric

from .command_type import CommandResult, CommandType, on_metric


class HoldOrder(Struct, frozen=True, rename="camel"):
    """The hold, and the `action` on it: place, capture (spend the amount) or release."""

    metric: str
    hold_id: str
    action: str
    amount: int = 0
    until: datetime | None = None
    reason: str | None = None


def _hold(context: Context, order: HoldOrder, metric: Metric) -> CommandResult:
    balance = balance_of(context, metric)
    book = balance.book or EMPTY
    existing = next((hold for hold in book.holds if hold.hold_id == order.hold_id), None)
    if order.action == "place":
        assert order.until is not None
        free = available(balance) + (existing.amount if existing is not None else 0)
        if free - order.amount < (metric.minimum or 0):
            return Refusal.balance_insufficient
        book = open_book(balance) if in_lots(metric, balance) else book
        replace_book(context, metric, lots.place_hold(book, order.hold_id, order.amount, order.until))
        result = None
    elif existing is None:
        return Refusal.hold_not_found
    elif order.action == "release":
        replace_book(context, metric, lots.without_hold(book, order.hold_id))
        result = None
    else:
        amount = min(order.amount or existing.amount, existing.amount)
        result = _capture(context, metric, existing, amount, order.reason)
    settle(context, metric)  # amounts that are no longer held pay off debt, or expire
    expire(context, metric)
    return result


def _capture(context: Context, metric: Metric, hold: Hold, amount: int, reason: str | None) -> Transaction:
    before = balance_of(context, metric)
    assert before.book is not None
    if in_lots(metric, before):
        book, parts = lots.capture(before.book, hold, amount)
    else:
        book, parts = lots.without_hold(before.book, hold.hold_id), None
    return append_transaction(context, EffectPlace(MANUAL, 0, 0), metric, -amount, book, parts, reason)


COMMAND = CommandType(kind=HOLD, order=HoldOrder, apply=on_metric(_hold))

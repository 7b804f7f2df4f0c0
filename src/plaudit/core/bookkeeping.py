"""The books by hand: credits, debits, transfers, holds, and transactions taken back. Each is a kind of event.

A command refuses as a whole: its refusal is the decision's, and nothing follows from it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from . import lots
from .deciding import Deciding, Place
from .decision import Considered, EffectTrace, Onward, Posting, Refusal
from .event import EXTENSION, HOLD, RECEIPT, REVERSAL, TRANSACTION, TRANSFER
from .ids import derived_id
from .ledger import available, balance_of, keep_book, opened, post, write
from .lots import DEBT, EMPTY, Hold, Part
from .metrics import Metric

MANUAL = "manual"

T = TypeVar("T")
Done = Posting | Refusal | None  # what a command came to: None when it writes no transaction


class Amount(Struct, frozen=True, rename="camel"):
    """A credit, a debit (negative) or a transfer by hand, in smallest units. `expires_at` instead of the metric's."""

    metric: str
    amount: int
    reason: str | None = None
    to: str | None = None
    parts: tuple[Part, ...] = ()
    expires_at: datetime | None = None


class Reversal(Struct, frozen=True, rename="camel"):
    """A transaction as it was, and how much of it is to be taken back (positive)."""

    transaction_id: UUID
    metric: str
    amount: int
    take: int
    parts: tuple[Part, ...] = ()
    reason: str | None = None
    expires_at: datetime | None = None


class HoldOrder(Struct, frozen=True, rename="camel"):
    """`action`: place, capture (the amount is spent) or release."""

    metric: str
    hold_id: str
    action: str
    amount: int = 0
    until: datetime | None = None
    reason: str | None = None


class Extension(Struct, frozen=True, rename="camel"):
    """Until when what a member has of a metric lasts at least."""

    metric: str
    expires_at: datetime


Order = TypeVar("Order", Amount, HoldOrder, Reversal, Extension)


def order_of(deciding: Deciding, into: type[T]) -> T:
    return msgspec.convert(deciding.event.data, into, strict=False)


def traced(deciding: Deciding, done: Posting | Refusal | None, campaign_id: str = MANUAL) -> Refusal | None:
    refusal = done if isinstance(done, Refusal) else None
    outcome = done.amount if isinstance(done, Posting) else None
    deciding.trace.append(Considered(campaign_id, 0, 0, None, [], [EffectTrace(0, refusal, outcome)]))
    return refusal


def _transaction(deciding: Deciding, order: Amount, metric: Metric) -> Done:
    if order.expires_at is not None and order.amount > 0:
        return _credit_parts(deciding, metric, (Part(0, order.amount, order.expires_at),), order.reason)
    return post(deciding, Place(MANUAL, 0, 0), metric, order.amount, order.reason, earning=False)


def _credit_parts(deciding: Deciding, metric: Metric, parts: tuple[Part, ...], reason: str | None) -> Posting | Refusal:
    """Credit amounts that bring their own expiries with them."""
    amount = sum(part.amount for part in parts)
    before = balance_of(deciding, metric)
    if metric.maximum is not None and before.amount + amount > metric.maximum:
        return Refusal.maximum_reached
    book, written = opened(before), list[Part]()
    for part in parts:
        book, more = lots.credit(book, part.amount, part.expires_at, None)
        written += more
    return write(deciding, Place(MANUAL, 0, 0), metric, amount, book, tuple(written), reason)


def _transfer(deciding: Deciding, order: Amount, metric: Metric) -> Done:
    """To another member, with the expiries that it has here; it arrives there as an event of their own."""
    if order.to is None:
        return Refusal.metric_missing
    spent = post(deciding, Place(MANUAL, 0, 0), metric, -order.amount, order.reason, earning=False)
    if isinstance(spent, Posting):
        parts = [(0, -part.amount, part.expires_at) for part in spent.parts or () if part.lot != DEBT]
        data = {"metric": order.metric, "amount": order.amount, "reason": order.reason, "parts": parts}
        deciding.onward.append(
            Onward(
                event_id=derived_id(deciding.root.event_id, "receipt"),
                user_id=order.to,
                kind=RECEIPT,
                trigger=RECEIPT,
                occurred_at=deciding.now,
                data=msgspec.to_builtins(data) | {"from": deciding.member.user_id},
            )
        )
    return spent


def _receipt(deciding: Deciding, order: Amount, metric: Metric) -> Done:
    if metric.keeps_lots and order.parts:
        return _credit_parts(deciding, metric, order.parts, order.reason)
    return post(deciding, Place(MANUAL, 0, 0), metric, order.amount, order.reason, earning=False)


def _hold(deciding: Deciding, order: HoldOrder, metric: Metric) -> Done:
    balance = balance_of(deciding, metric)
    book = balance.book or EMPTY
    others = tuple(one for one in book.holds if one.hold_id != order.hold_id)
    if order.action == "place":
        assert order.until is not None
        if available(balance) - order.amount < (metric.minimum or 0):
            return Refusal.balance_insufficient
        placed = Hold(order.hold_id, order.amount, order.until)
        keep_book(deciding, metric, structs.replace(book, holds=(*others, placed)))
        return None
    if len(others) == len(book.holds):
        return Refusal.hold_missing
    (found,) = (one for one in book.holds if one.hold_id == order.hold_id)
    keep_book(deciding, metric, structs.replace(book, holds=others))
    if order.action == "release":
        return None
    amount = -min(order.amount or found.amount, found.amount)
    return post(deciding, Place(MANUAL, 0, 0), metric, amount, order.reason, earning=False)


def _reverse(deciding: Deciding, order: Reversal, metric: Metric) -> Done:
    """Take a transaction back: a credit out of the very lots that it made, a debit into those that paid for it."""
    balance = balance_of(deciding, metric)
    book = balance.book or EMPTY
    key = str(order.transaction_id)
    before = book.reversed.get(key, 0)
    if before + order.take > abs(order.amount):
        return Refusal.transaction_reversed
    book = structs.replace(book, reversed={**book.reversed, key: before + order.take})
    in_lots = bool(order.parts) and (metric.keeps_lots or bool(book.lots))
    if order.amount > 0:
        amount, book, parts = _taken_back(metric, book, balance.amount, order, in_lots=in_lots)
    else:
        amount, book, parts = _given_back(metric, book, balance.amount, order, in_lots=in_lots)
    return write(
        deciding, Place(MANUAL, 0, 0), metric, amount, book, parts if in_lots else None, order.reason,
        reverses=order.transaction_id,
    )  # fmt: skip


def _taken_back(
    metric: Metric, book: lots.Book, balance: int, order: Reversal, *, in_lots: bool
) -> tuple[int, lots.Book, tuple[Part, ...]]:
    """By the metric's policy what is spent already becomes debt, or takes what else there is, down to the minimum."""
    if not in_lots:
        floor = balance if metric.minimum is None else max(balance - metric.minimum, 0)
        take = order.take if metric.into_debt or metric.minimum is None else min(order.take, floor)
        return -take, book, ()
    book, parts, missing = lots.take_from(book, [part.lot for part in order.parts], order.take)
    if missing and metric.into_debt:
        debt = (Part(DEBT, -missing),)
        return -order.take, lots.apply(book, debt), (*parts, *debt)
    if missing:
        book, more = lots.spend(book, missing)
        parts = (*parts, *more)
    return sum(part.amount for part in parts), book, parts


def _given_back(
    metric: Metric, book: lots.Book, balance: int, order: Reversal, *, in_lots: bool
) -> tuple[int, lots.Book, tuple[Part, ...]]:
    room = order.take if metric.maximum is None else max(min(order.take, metric.maximum - balance), 0)
    if not in_lots:
        return room, book, ()
    parts: list[Part] = []
    amount = room
    if book.lots and book.lots[0].number == DEBT:  # whatever comes in pays it off first
        parts.append(Part(DEBT, min(amount, -book.lots[0].amount)))
        book = lots.apply(book, (parts[0],))
        amount -= parts[0].amount
    for part in reversed(order.parts):
        given = min(amount, -part.amount)
        if given:
            amount -= given
            if order.expires_at is None:
                parts.append(Part(part.lot, given, part.expires_at))
                book = lots.apply(book, (parts[-1],))
            else:
                book, more = lots.credit(book, given, order.expires_at, None)
                parts += more
    return room, book, tuple(parts)


def _extend(deciding: Deciding, order: Extension, metric: Metric) -> Done:
    """Whatever of a metric would expire before an instant expires then."""
    book = balance_of(deciding, metric).book
    if book is not None:
        keep_book(deciding, metric, lots.extended(book, order.expires_at))
    return None


def _of(into: type[Order], run: Callable[[Deciding, Order, Metric], Done]) -> Callable[[Deciding], Refusal | None]:
    """A command: its order and its metric found, and what came of it traced."""

    def command(deciding: Deciding) -> Refusal | None:
        order = order_of(deciding, into)
        metric = deciding.program.metrics.get(order.metric)
        return traced(deciding, Refusal.metric_missing if metric is None else run(deciding, order, metric))

    return command


BOOKKEEPING: Mapping[str, Callable[[Deciding], Refusal | None]] = {
    TRANSACTION: _of(Amount, _transaction),
    TRANSFER: _of(Amount, _transfer),
    RECEIPT: _of(Amount, _receipt),
    HOLD: _of(HoldOrder, _hold),
    REVERSAL: _of(Reversal, _reverse),
    EXTENSION: _of(Extension, _extend),
}

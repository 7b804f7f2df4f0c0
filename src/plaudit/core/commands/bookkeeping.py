"""The books by hand: credits, debits, transfers, holds, and transactions taken back. Each is a kind of event.

A command refuses as a whole: its refusal is the decision's, and nothing follows from it.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct, field, structs

from plaudit.core.cause import MANUAL, Cause
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, FollowUp, Refusal, RefusalCode, Trace, Transaction
from plaudit.core.event import EXTENSION, HOLD, RECEIPT, REVERSAL, TRANSACTION, TRANSFER
from plaudit.core.ids import derived_id
from plaudit.core.ledger import lots
from plaudit.core.ledger.earned import Origin
from plaudit.core.ledger.lots import DEBT, EMPTY, Hold, Posting
from plaudit.core.ledger.post import (
    append_transaction,
    available,
    balance_of,
    expire,
    expiry_of,
    in_lots,
    open_book,
    post,
    replace_book,
    settle,
)
from plaudit.core.member import Balance
from plaudit.core.metrics import AMOUNT_MAX, Metric

T = TypeVar("T")
CommandResult = Transaction | Refusal | None  # what a command came to: None when it writes no transaction


class TransactionOrder(Struct, frozen=True, rename="camel"):
    """A credit, a debit (negative) or a transfer by hand, in smallest units. `expires_at` instead of the metric's.

    What arrives by a transfer has its `sender`, the lots it came from (`parts`) and, if it has come back, `returned`.
    """

    metric: str
    amount: int
    reason: str | None = None
    to: str | None = None
    sender: str | None = field(default=None, name="from")
    parts: tuple[Posting, ...] = ()
    transfer_id: str | None = None
    returned: bool = False
    expires_at: datetime | None = None


class ReversalOrder(Struct, frozen=True, rename="camel"):
    """A transaction as it was, and how much of it is to be taken back (positive).

    `expired` is how much of a credit has expired before; `whole` refuses what cannot be taken back wholly.
    `earned`, `scored`, `counted_at` and `counted_in` are of what it goes back to, through the reversals that it may be
    itself (see `earned.Origin`).
    `pending`: points that come back before `counted_at` are pending until then (orders of earlier versions made them available).
    `merged`: it was made by somebody who goes on as this member, where lots had other numbers. `reopens`: it was made by
    a merge, and the member who goes on as another from it is to be there again.
    """

    transaction_id: UUID
    metric: str
    amount: int
    take: int
    parts: tuple[Posting, ...] = ()
    reason: str | None = None
    expires_at: datetime | None = None
    expired: int = 0
    whole: bool = False
    earned: bool | None = None  # None in orders of earlier versions: then every credit was
    counted_at: datetime | None = None
    counted_in: frozenset[str] | None = None
    scored: bool = True
    pending: bool = False
    merged: bool = False
    reopens: bool = False

    @property
    def origin(self) -> Origin:
        """What is taken back."""
        earned = self.amount > 0 if self.earned is None else self.earned
        return Origin(self.transaction_id, earned, earned and self.scored, self.counted_at, self.counted_in)


class HoldOrder(Struct, frozen=True, rename="camel"):
    """`action`: place, capture (the amount is spent) or release."""

    metric: str
    hold_id: str
    action: str
    amount: int = 0
    until: datetime | None = None
    reason: str | None = None


class ExtensionOrder(Struct, frozen=True, rename="camel"):
    """Until when what a member has of a metric lasts at least."""

    metric: str
    expires_at: datetime


Order = TypeVar("Order", TransactionOrder, HoldOrder, ReversalOrder, ExtensionOrder)


def decode_order(context: Context, into: type[T]) -> T:
    return msgspec.convert(context.event.data, into, strict=False)


def trace_command(
    context: Context, done: Transaction | RefusalCode | None, cause: Cause = MANUAL
) -> RefusalCode | None:
    refusal = done if isinstance(done, str) else None
    outcome = done.amount if isinstance(done, Transaction) else None
    context.trace.append(Trace(cause.logged, 0, 0, None, [], [EffectTrace(0, refusal, outcome)]))
    return refusal


def _transaction(context: Context, order: TransactionOrder, metric: Metric) -> CommandResult:
    if order.expires_at is not None and order.amount > 0:
        if metric.maximum is not None and balance_of(context, metric).amount + order.amount > metric.maximum:
            return Refusal.balance_at_maximum
        return _credit_parts(context, metric, (Posting(0, order.amount, order.expires_at),), order.reason)
    return post(context, EffectPlace(MANUAL, 0, 0), metric, order.amount, order.reason, earning=False)


def _credit_parts(context: Context, metric: Metric, parts: tuple[Posting, ...], reason: str | None) -> Transaction:
    """Credit amounts that bring their own expiries with them."""
    amount = sum(part.amount for part in parts)
    book, written = open_book(balance_of(context, metric)), list[Posting]()
    for part in parts:
        book, more = lots.credit(book, part.amount, part.expires_at, None)
        written += more
    return append_transaction(context, EffectPlace(MANUAL, 0, 0), metric, amount, book, tuple(written), reason)


def _transfer(context: Context, order: TransactionOrder, metric: Metric) -> CommandResult:
    """To another member, with the expiries that it has here; it arrives there as an event of their own."""
    if order.to is None:
        return Refusal.metric_not_found
    spent = post(context, EffectPlace(MANUAL, 0, 0), metric, -order.amount, order.reason, earning=False)
    if isinstance(spent, Transaction):
        parts = [(0, -part.amount, part.expires_at) for part in spent.postings or () if part.lot != DEBT]
        receipt_id, _ = receipt_ids(context.root_event.event_id)
        context.follow_ups.append(_receipt_for(context, receipt_id, order, order.to, parts))
    return spent


def _receipt_for(
    context: Context, event_id: UUID, order: TransactionOrder, to: str, parts: Sequence[Any], *, returned: bool = False
) -> FollowUp:
    """The event by which an amount arrives at a member. Its id follows from the transfer's (see `receipt_ids`)."""
    data = {"metric": order.metric, "amount": order.amount, "reason": order.reason, "parts": parts}
    return FollowUp(
        event_id=event_id,
        user_id=to,
        kind=RECEIPT,
        trigger=RECEIPT,
        occurred_at=context.now,
        data=msgspec.to_builtins(data)
        | {"from": context.member.user_id, "transferId": order.transfer_id or str(context.root_event.event_id)}
        | ({"returned": True} if returned else {}),
    )


def receipt_ids(transfer_id: UUID) -> tuple[UUID, UUID]:
    """Return the ids of the events by which a transfer arrives at its receiver and, if it cannot, comes back."""
    receipt_id = derived_id(transfer_id, RECEIPT)
    return receipt_id, _return_id(receipt_id)


def _return_id(receipt_id: UUID) -> UUID:
    return derived_id(receipt_id, "return")


def returns(context: Context) -> list[FollowUp]:
    """What follows from a receipt that was refused: the amount goes back to its sender, as it was."""
    order = decode_order(context, TransactionOrder)
    if order.returned or not order.sender:
        return []
    return_id = _return_id(context.root_event.event_id)
    return [_receipt_for(context, return_id, order, order.sender, msgspec.to_builtins(order.parts), returned=True)]


def _receipt(context: Context, order: TransactionOrder, metric: Metric) -> CommandResult:
    """What a transfer brings arrives whole, or not at all. What its lots lacked at the sender expires as a credit does."""
    before = balance_of(context, metric)
    after = before.amount + order.amount
    if after > AMOUNT_MAX or (metric.maximum is not None and after > metric.maximum and not order.returned):
        return Refusal.balance_at_maximum
    if not (in_lots(metric, before) or any(part.expires_at is not None for part in order.parts)):
        return append_transaction(
            context, EffectPlace(MANUAL, 0, 0), metric, order.amount, before.book, None, order.reason
        )
    book = open_book(before)
    missing = order.amount - sum(part.amount for part in order.parts)
    more = (Posting(0, missing, expiry_of(context, metric, book)),) if missing else ()
    return _credit_parts(context, metric, (*order.parts, *more), order.reason)


def _hold(context: Context, order: HoldOrder, metric: Metric) -> CommandResult:
    balance = balance_of(context, metric)
    book = balance.book or EMPTY
    found = next((hold for hold in book.holds if hold.hold_id == order.hold_id), None)
    if order.action == "place":
        assert order.until is not None
        free = available(balance) + (found.amount if found is not None else 0)
        if free - order.amount < (metric.minimum or 0):
            return Refusal.balance_insufficient
        book = open_book(balance) if in_lots(metric, balance) else book
        replace_book(context, metric, lots.place_hold(book, order.hold_id, order.amount, order.until))
        done = None
    elif found is None:
        return Refusal.hold_not_found
    elif order.action == "release":
        replace_book(context, metric, lots.without_hold(book, order.hold_id))
        done = None
    else:
        done = _capture(context, metric, found, min(order.amount or found.amount, found.amount), order.reason)
    settle(context, metric)  # what is held no longer
    expire(context, metric)
    return done


def _capture(context: Context, metric: Metric, hold: Hold, amount: int, reason: str | None) -> Transaction:
    before = balance_of(context, metric)
    assert before.book is not None
    if in_lots(metric, before):
        book, parts = lots.capture(before.book, hold, amount)
    else:
        book, parts = lots.without_hold(before.book, hold.hold_id), None
    return append_transaction(context, EffectPlace(MANUAL, 0, 0), metric, -amount, book, parts, reason)


def _reverse(context: Context, order: ReversalOrder, metric: Metric) -> CommandResult:
    return reverse(context, order, metric, EffectPlace(MANUAL, 0, 0))


def reverse(context: Context, order: ReversalOrder, metric: Metric, place: EffectPlace) -> Transaction | Refusal:
    """Take a transaction back: a credit out of the very lots that it made, a debit into those that paid for it."""
    balance = balance_of(context, metric)
    book = balance.book or EMPTY
    key = str(order.transaction_id)
    before = book.reversed.get(key, 0)
    if before + order.take > abs(order.amount):
        return Refusal.reversal_too_large
    expires = order.amount < 0 and order.expires_at is not None  # what is given back, also where nothing else does
    kept = expires or in_lots(metric, balance)
    book = was = open_book(balance) if kept else book
    if order.merged:
        order = structs.replace(order, parts=_parts_here(book, order))
    if order.reopens:
        context.member.merged_into = None
        context.changed_parts.add("all")
    if order.amount > 0:
        taken = _undo_credit(metric, book, balance, order, order.amount - order.expired - before, kept=kept)
    else:
        taken = _undo_debit(context, metric, book, balance, order, kept=kept)
    if isinstance(taken, Refusal):
        return taken
    amount, book, parts = taken
    back = order.take if order.amount > 0 else amount  # of a debit, what a maximum leaves no room for can come later
    book = structs.replace(book, reversed={**book.reversed, key: before + back})
    origin = order.origin
    at = origin.counted_at or context.now
    book = lots.counting(book, was, {at: amount} if origin.scored and at > context.now else {})
    return append_transaction(
        context, place, metric, amount, book, parts if kept else None, order.reason, origin=origin
    )


def _parts_here(book: lots.Book, order: ReversalOrder) -> tuple[Posting, ...]:
    """The postings of a transaction on the lots of another book: each on the lot here that expires when its own did.

    Where there is none, a debit that is given back makes one; a credit is taken from the others.
    """
    numbers = {lot.expires_at: lot.number for lot in book.lots if lot.number != DEBT}
    fresh = itertools.count(book.next_number)
    found: list[Posting] = []
    for part in order.parts:
        if part.lot == DEBT:
            found.append(part)
        elif part.expires_at in numbers or order.amount < 0:
            number = numbers[part.expires_at] if part.expires_at in numbers else next(fresh)
            numbers[part.expires_at] = number
            found.append(structs.replace(part, lot=number))
    return tuple(found)


_Undone = tuple[int, lots.Book, tuple[Posting, ...]] | Refusal


def _undo_credit(
    metric: Metric, book: lots.Book, balance: Balance, order: ReversalOrder, left: int, *, kept: bool
) -> _Undone:
    """Take a credit back: from its own lots, then from the others, then as debt.

    Without debt it goes as far as the metric's minimum allows, whether lots are kept or not. What is held stays, and what
    has expired or been taken back before is not taken again: at most what is `left`.
    """
    points = min(order.take, max(left, 0))
    if metric.minimum is not None and not metric.into_debt:
        room = max(balance.amount - lots.held(book) - metric.minimum, 0)
        if order.whole and points > room:
            return Refusal.balance_insufficient
        points = min(points, room)
    if not kept:
        return -points, book, ()
    # One from before the metric kept lots went into what never expires.
    own = {part.lot for part in order.parts} or {
        lot.number for lot in book.lots if lot.expires_at is lot.available_at is None
    }
    book, parts, missing = lots.take_from_lots(book, own, points)
    book, more = lots.spend(book, missing, pending_too=True)
    return -points, book, (*parts, *more)


def _undo_debit(
    context: Context, metric: Metric, book: lots.Book, balance: Balance, order: ReversalOrder, *, kept: bool
) -> _Undone:
    """Give a debit back: debt is paid off first, then the lots get back what they paid, those that expire last first."""
    room = order.take if metric.maximum is None else max(min(order.take, metric.maximum - balance.amount), 0)
    if room == 0 or (order.whole and room < order.take):
        return Refusal.balance_at_maximum
    if not kept:
        return room, book, ()
    counted_at = order.origin.counted_at
    waits = order.pending and counted_at is not None and counted_at > context.now
    pending_until = counted_at if waits else None
    parts: list[Posting] = []
    amount = room
    if book.lots and book.lots[0].number == DEBT:
        parts.append(Posting(DEBT, min(amount, -book.lots[0].amount)))
        book = lots.apply(book, (parts[0],))
        amount -= parts[0].amount
    for part in reversed(order.parts):
        given = min(amount, -part.amount)
        if given > 0 and part.lot != DEBT and order.expires_at is None:
            amount -= given
            parts.append(Posting(part.lot, given, part.expires_at))
            book = lots.apply(book, (parts[-1],), pending_until)
            book = structs.replace(book, next_number=max(book.next_number, part.lot + 1))
    if amount:  # what no lot had paid, or what gets another expiry, is a credit of today's
        expires_at = order.expires_at or expiry_of(context, metric, book)
        book, more = lots.credit(book, amount, expires_at, pending_until)
        parts += more
    return room, book, tuple(parts)


def _extend(context: Context, order: ExtensionOrder, metric: Metric) -> CommandResult:
    """Whatever of a metric would expire before an instant expires then."""
    book = balance_of(context, metric).book
    if book is not None:
        replace_book(context, metric, lots.extend_expiry(book, order.expires_at, context.now))
    return None


def _of(
    into: type[Order], run: Callable[[Context, Order, Metric], CommandResult]
) -> Callable[[Context], RefusalCode | None]:
    """A command: its order and its metric found, and what came of it traced."""

    def command(context: Context) -> RefusalCode | None:
        order = decode_order(context, into)
        metric = context.program.metrics.get(order.metric)
        return trace_command(context, Refusal.metric_not_found if metric is None else run(context, order, metric))

    return command


BOOKKEEPING: Mapping[str, Callable[[Context], RefusalCode | None]] = {
    TRANSACTION: _of(TransactionOrder, _transaction),
    TRANSFER: _of(TransactionOrder, _transfer),
    RECEIPT: _of(TransactionOrder, _receipt),
    HOLD: _of(HoldOrder, _hold),
    REVERSAL: _of(ReversalOrder, _reverse),
    EXTENSION: _of(ExtensionOrder, _extend),
}

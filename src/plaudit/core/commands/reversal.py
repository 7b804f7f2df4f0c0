"""Reverse a transaction, in whole or in part."""

import itertools
from datetime import datetime
from uuid import UUID

from msgspec import Struct, structs

from plaudit.core.cause import MANUAL
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import Refusal, Transaction
from plaudit.core.event import REVERSAL, Event
from plaudit.core.ledger import lots
from plaudit.core.ledger.earned import Origin
from plaudit.core.ledger.lots import DEBT, EMPTY, Posting
from plaudit.core.ledger.post import append_transaction, balance_of, expiry_of, in_lots, open_book
from plaudit.core.member import Balance
from plaudit.core.metrics import Metric

from .command_type import CommandResult, CommandType, on_metric


class ReversalOrder(Struct, frozen=True, rename="camel"):
    """A transaction as it was, and how much of it is to be taken back (positive).

    `expired` is how much of a credit has expired before; `whole` refuses what cannot be taken back wholly.
    `earned`, `scored`, `counted_at` and `counted_in` are of what it goes back to, through the reversals that it may be
    itself (see `earned.Origin`).
    `pending`: points that come back before `counted_at` are pending until then (orders of earlier versions made them available).
    `merged`: it was made by a member who was merged into this one, where lots had other numbers. `reopens`: it was made by
    a merge, and the reversal restores the member who was merged.
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
        """Return the origin of what is reversed."""
        earned = self.amount > 0 if self.earned is None else self.earned
        return Origin(self.transaction_id, earned, earned and self.scored, self.counted_at, self.counted_in)


def _reverse(context: Context, order: ReversalOrder, metric: Metric) -> CommandResult:
    return reverse(context, order, metric, EffectPlace(MANUAL, 0, 0))


def reverse(context: Context, order: ReversalOrder, metric: Metric, place: EffectPlace) -> Transaction | Refusal:
    """Reverse a transaction: a credit out of the lots it made, a debit into the lots that paid for it."""
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
    """Reverse a debit: pay off debt first, then refill the lots that paid, latest expiry first."""
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


def _reopens(event: Event) -> bool:
    return event.data.get("reopens") is True


COMMAND = CommandType(kind=REVERSAL, order=ReversalOrder, apply=on_metric(_reverse), reopens=_reopens)

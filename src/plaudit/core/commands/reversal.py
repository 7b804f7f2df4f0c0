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
    """A transaction, and how much of it to reverse (`take`, positive).

    `expired` is the amount of a credit that has expired. `whole`: refuse the reversal if it cannot be complete. `earned`,
    `scored`, `counted_at` and `counted_in` describe the origin: the transaction itself or, if it is a reversal, the one it
    goes back to (see `earned.Origin`). `pending`: points returned before `counted_at` are pending until then (orders of
    earlier versions made them available). `merged`: the transaction was made by a member who was merged into this one, so
    its lots had other numbers. `reopens`: a merge made the transaction, and the reversal restores the merged member.
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
        """Return the origin of the reversed transaction."""
        earned = self.amount > 0 if self.earned is None else self.earned
        return Origin(self.transaction_id, earned, earned and self.scored, self.counted_at, self.counted_in)


def _reverse(context: Context, order: ReversalOrder, metric: Metric) -> CommandResult:
    return reverse(context, order, metric, EffectPlace(MANUAL, 0, 0))


def reverse(context: Context, order: ReversalOrder, metric: Metric, place: EffectPlace) -> Transaction | Refusal:
    """Reverse a transaction: take a credit from the lots it created, or return a debit to the lots that paid for it."""
    balance = balance_of(context, metric)
    book = balance.book or EMPTY
    key = str(order.transaction_id)
    before = book.reversed.get(key, 0)
    if before + order.take > abs(order.amount):
        return Refusal.reversal_too_large
    has_expiry = order.amount < 0 and order.expires_at is not None  # then lots are needed, even if this is the first
    has_lots = has_expiry or in_lots(metric, balance)
    book = old = open_book(balance) if has_lots else book
    if order.merged:
        order = structs.replace(order, parts=_parts_here(book, order))
    if order.reopens:
        context.member.merged_into = None
        context.changed_parts.add("all")
    if order.amount > 0:
        result = _undo_credit(metric, book, balance, order, order.amount - order.expired - before, has_lots=has_lots)
    else:
        result = _undo_debit(context, metric, book, balance, order, has_lots=has_lots)
    if isinstance(result, Refusal):
        return result
    amount, book, parts = result
    # The part of a reversed debit that exceeds the maximum can be credited later, so it does not count as reversed.
    reversed_amount = order.take if order.amount > 0 else amount
    book = structs.replace(book, reversed={**book.reversed, key: before + reversed_amount})
    origin = order.origin
    at = origin.counted_at or context.now
    book = lots.counting(book, old, {at: amount} if origin.scored and at > context.now else {})
    return append_transaction(
        context, place, metric, amount, book, parts if has_lots else None, order.reason, origin=origin
    )


def _parts_here(book: lots.Book, order: ReversalOrder) -> tuple[Posting, ...]:
    """Return a merged member's postings on this book's lots: each on the lot with the same expiry.

    If no such lot exists, the reversal of a debit creates one, and the reversal of a credit uses the other lots.
    """
    numbers = {lot.expires_at: lot.number for lot in book.lots if lot.number != DEBT}
    new_numbers = itertools.count(book.next_number)
    postings: list[Posting] = []
    for part in order.parts:
        if part.lot == DEBT:
            postings.append(part)
        elif part.expires_at in numbers or order.amount < 0:
            number = numbers[part.expires_at] if part.expires_at in numbers else next(new_numbers)
            numbers[part.expires_at] = number
            postings.append(structs.replace(part, lot=number))
    return tuple(postings)


_Undone = tuple[int, lots.Book, tuple[Posting, ...]] | Refusal  # the amount, the new book, the postings


def _undo_credit(
    metric: Metric, book: lots.Book, balance: Balance, order: ReversalOrder, left: int, *, has_lots: bool
) -> _Undone:
    """Undo a credit: take it from its own lots, then from the others, then as debt.

    If the metric does not allow debt, take only what its minimum allows, with or without lots. Held amounts stay. At most
    `left` is taken: what has not expired and has not been reversed before.
    """
    points = min(order.take, max(left, 0))
    if metric.minimum is not None and not metric.into_debt:
        room = max(balance.amount - lots.held(book) - metric.minimum, 0)
        if order.whole and points > room:
            return Refusal.balance_insufficient
        points = min(points, room)
    if not has_lots:
        return -points, book, ()
    # A credit from before the metric kept lots is in the lot that never expires.
    own = {part.lot for part in order.parts} or {
        lot.number for lot in book.lots if lot.expires_at is lot.available_at is None
    }
    book, parts, missing = lots.take_from_lots(book, own, points)
    book, rest = lots.spend(book, missing, pending_too=True)
    return -points, book, (*parts, *rest)


def _undo_debit(
    context: Context, metric: Metric, book: lots.Book, balance: Balance, order: ReversalOrder, *, has_lots: bool
) -> _Undone:
    """Undo a debit: pay off debt first, then refill the lots that paid, latest expiry first."""
    room = order.take if metric.maximum is None else max(min(order.take, metric.maximum - balance.amount), 0)
    if room == 0 or (order.whole and room < order.take):
        return Refusal.balance_at_maximum
    if not has_lots:
        return room, book, ()
    counted_at = order.origin.counted_at
    is_pending = order.pending and counted_at is not None and counted_at > context.now
    pending_until = counted_at if is_pending else None
    parts: list[Posting] = []
    amount = room
    if book.lots and book.lots[0].number == DEBT:
        parts.append(Posting(DEBT, min(amount, -book.lots[0].amount)))
        book = lots.apply(book, (parts[0],))
        amount -= parts[0].amount
    for part in reversed(order.parts):
        refill = min(amount, -part.amount)
        if refill > 0 and part.lot != DEBT and order.expires_at is None:
            amount -= refill
            parts.append(Posting(part.lot, refill, part.expires_at))
            book = lots.apply(book, (parts[-1],), pending_until)
            book = structs.replace(book, next_number=max(book.next_number, part.lot + 1))
    if amount:  # an amount that no lot had paid, or that gets another expiry, is a new credit
        expires_at = order.expires_at or expiry_of(context, metric, book)
        book, postings = lots.credit(book, amount, expires_at, pending_until)
        parts += postings
    return room, book, tuple(parts)


def _reopens(event: Event) -> bool:
    return event.data.get("reopens") is True


COMMAND = CommandType(kind=REVERSAL, order=ReversalOrder, apply=on_metric(_reverse), reopens=_reopens)

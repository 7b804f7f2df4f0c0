"""Lots: the parts of a balance that were earned together and expire together. Pure arithmetic on one member's book.

    credit ──► a lot (the same day, the same expiry: the same lot) ──► spent, the soonest to expire first ──► expired

A lot that is not available yet is pending. What is held stays in its lots and cannot be spent. Debt is a lot of its
own, number 0, with a negative amount; the next credit goes to it first. Amounts are scaled integers (see `metrics`).
"""

from datetime import UTC, datetime, timedelta

from msgspec import Struct, structs

DEBT = 0


class Lot(Struct, frozen=True, array_like=True):
    """`expires_at` None: never. `available_at` None: now; else it is pending until then. `reminded` of its expiry."""

    number: int
    amount: int
    expires_at: datetime | None = None
    available_at: datetime | None = None
    reminded: bool = False


class Hold(Struct, frozen=True, array_like=True):
    """An amount that is set apart for a purchase; released at `until` unless captured before."""

    hold_id: str
    amount: int
    until: datetime


class Part(Struct, frozen=True, array_like=True):
    """The posting of a transaction on one lot: `amount` is signed. `expires_at` is the lot's, as it was."""

    lot: int
    amount: int
    expires_at: datetime | None = None


class Book(Struct, frozen=True, array_like=True):
    """A member's lots of one metric, and what else must be remembered of it.

    `credited` counts what was earned in recent periods, for earning caps; `reversed` says how much of which
    transaction has been taken back; `due_at` is when something of the book falls due by itself.
    """

    next_number: int = 1
    lots: tuple[Lot, ...] = ()
    holds: tuple[Hold, ...] = ()
    credited: dict[str, int] = {}
    reversed: dict[str, int] = {}
    due_at: datetime | None = None


EMPTY = Book()


def pending(book: Book) -> int:
    """What is earned but not yet released."""
    return sum(lot.amount for lot in book.lots if lot.available_at is not None)


def held(book: Book) -> int:
    """What is set apart."""
    return sum(hold.amount for hold in book.holds)


def credit(
    book: Book, amount: int, expires_at: datetime | None, available_at: datetime | None
) -> tuple[Book, tuple[Part, ...]]:
    """Add to the lot of that expiry, or a new one; debt is paid off first, by what is available."""
    lots = list(book.lots)
    parts: list[Part] = []
    if lots and lots[0].number == DEBT and available_at is None:
        paid = min(amount, -lots[0].amount)
        parts.append(Part(DEBT, paid))
        amount -= paid
        lots[0] = structs.replace(lots[0], amount=lots[0].amount + paid)
        if lots[0].amount == 0:
            del lots[0]
    number = book.next_number
    if amount:
        for i, lot in enumerate(lots):
            if lot.number != DEBT and (lot.expires_at, lot.available_at) == (expires_at, available_at):
                lots[i] = structs.replace(lot, amount=lot.amount + amount)
                parts.append(Part(lot.number, amount, expires_at))
                break
        else:
            lots.append(Lot(number, amount, expires_at, available_at))
            parts.append(Part(number, amount, expires_at))
            number += 1
    return structs.replace(book, next_number=number, lots=tuple(lots)), tuple(parts)


def spend(book: Book, amount: int, *, into_debt: bool = False) -> tuple[Book, tuple[Part, ...]]:
    """Take an amount, the soonest to expire first, then the oldest. What is not there becomes debt if it may."""
    order = sorted(
        (lot for lot in book.lots if lot.number != DEBT and lot.available_at is None),
        key=lambda lot: (lot.expires_at is None, lot.expires_at or _NEVER, lot.number),
    )
    parts: list[Part] = []
    for lot in order:
        taken = min(amount, lot.amount)
        if taken:
            parts.append(Part(lot.number, -taken, lot.expires_at))
            amount -= taken
    book = apply(book, tuple(parts))
    if amount and into_debt:
        parts.append(Part(DEBT, -amount))
        book = apply(book, (parts[-1],))
    return book, tuple(parts)


_NEVER = datetime.max.replace(tzinfo=UTC)


def take_from(book: Book, numbers: list[int], amount: int) -> tuple[Book, tuple[Part, ...], int]:
    """Take an amount from these very lots, pending ones too. Answers what could not be had of them as well."""
    parts: list[Part] = []
    for lot in book.lots:
        taken = min(amount, lot.amount) if lot.number in numbers and lot.number != DEBT else 0
        if taken:
            parts.append(Part(lot.number, -taken, lot.expires_at))
            amount -= taken
    return apply(book, tuple(parts)), tuple(parts), amount


def apply(book: Book, parts: tuple[Part, ...]) -> Book:
    """The book after postings on its lots; a lot that is empty is closed, one that was closed is opened again."""
    by_number = {lot.number: lot for lot in book.lots}
    for part in parts:
        lot = by_number.get(part.lot) or Lot(part.lot, 0, part.expires_at)
        by_number[part.lot] = structs.replace(lot, amount=lot.amount + part.amount)
    lots = sorted((lot for lot in by_number.values() if lot.amount), key=lambda lot: lot.number)
    return structs.replace(book, lots=tuple(lots))


def expire(book: Book, now: datetime) -> tuple[Book, tuple[Part, ...]]:
    """Close the lots whose time has come."""
    parts = tuple(
        Part(lot.number, -lot.amount, lot.expires_at)
        for lot in book.lots
        if lot.expires_at is not None and lot.expires_at <= now
    )
    return apply(book, parts), parts


def release(book: Book, now: datetime) -> tuple[Book, int]:
    """Make available what was pending until now. Answers how much that is."""
    amount = sum(lot.amount for lot in book.lots if lot.available_at is not None and lot.available_at <= now)
    lots = tuple(
        structs.replace(lot, available_at=None) if lot.available_at is not None and lot.available_at <= now else lot
        for lot in book.lots
    )
    return structs.replace(book, lots=lots), amount


def extended(book: Book, expires_at: datetime) -> Book:
    """The book with a later expiry for everything that expires."""
    lots = tuple(
        lot if lot.expires_at is None or lot.expires_at >= expires_at
        else structs.replace(lot, expires_at=expires_at, reminded=False)
        for lot in book.lots
    )  # fmt: skip
    return structs.replace(book, lots=lots)


def with_due(book: Book, remind: timedelta | None) -> Book:
    """The book with its `due_at`: the next release, reminder, expiry, or end of a hold."""
    found: list[datetime] = [hold.until for hold in book.holds]
    for lot in book.lots:
        if lot.available_at is not None:
            found.append(lot.available_at)
        if lot.expires_at is not None:
            found.append(lot.expires_at if lot.reminded or remind is None else lot.expires_at - remind)
    due = min(found, default=None)
    return book if due == book.due_at else structs.replace(book, due_at=due)
